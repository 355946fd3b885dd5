//! The invariant of the rows, and what breaks it.

use super::*;

#[test]
fn rows_come_back_as_given() {
    let rows = vec![vec![(0, 5), (2, 0)], vec![], vec![(1, 65_535)]];
    let sparse = SparseRows::new(3, rows.clone()).unwrap();
    assert_eq!(sparse.to_rows(), rows);
    assert_eq!((sparse.n(), sparse.entries(), sparse.row_len(0)), (3, 3, 2));
    assert_eq!(sparse.row(9).count(), 0, "beyond the last row");
    assert_eq!(SparseRows::default(), SparseRows::empty(0).unwrap());
}

#[test]
fn a_broken_row_is_named() {
    let refused = |n, rows| SparseRows::new(n, rows).unwrap_err();
    assert_eq!(
        refused(2, vec![vec![], vec![(0, 1), (2, 1)]]),
        Error::ColumnOutOfRange { row: 1, column: 2, n: 2 }
    );
    for column in [0, 1] {
        assert_eq!(
            refused(2, vec![vec![(1, 1), (column, 1)], vec![]]),
            Error::ColumnsNotIncreasing { row: 0, previous: 1, column }
        );
    }
    assert_eq!(refused(2, vec![vec![]]), Error::RowCount { n: 2, rows: 1 });
    assert_eq!(refused(65_536, vec![]), Error::TooManyNeurons { n: 65_536, max: 65_535 });
}

#[test]
fn unsorted_rows_are_sorted_but_not_merged() {
    let sorted = SparseRows::new(3, vec![vec![(0, 1), (2, 3)], vec![], vec![]]).unwrap();
    let unsorted = vec![vec![(2, 3), (0, 1)], vec![], vec![]];
    assert_eq!(SparseRows::from_unsorted(3, unsorted).unwrap(), sorted);
    let twice = vec![vec![(2, 3), (0, 1), (2, 4)], vec![], vec![]];
    assert_eq!(
        SparseRows::from_unsorted(3, twice).unwrap_err(),
        Error::ColumnsNotIncreasing { row: 0, previous: 2, column: 2 }
    );
}
