//! Plots of a run, drawn from its tables: incentive of each miner, dividends of each validator, issuance. SVG, with the
//! legend beside the curves so that it hides none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;
use serde::de::DeserializeOwned;

use crate::{Role, Row, Summary, SupplyRow};

const SIZE: (u32, u32) = (1_080, 520);
const LEGEND_WIDTH: u32 = 250;

/// Okabe and Ito's colours, which colour-blind readers can tell apart; further curves repeat them dashed.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(170, 150, 30),
];

/// Most curves of one plot; further ones would not fit beside it.
const MAX_CURVES: usize = 24;

/// Why a run could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// A table that cannot be read.
    #[error("cannot read {path}: {source} (give the folder that `acumen sim run --out` has written)")]
    Table {
        /// Which.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A summary that cannot be read.
    #[error("cannot read {path}: {reason} (give the folder that `acumen sim run --out` has written)")]
    Summary {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A plot that cannot be written.
    #[error("cannot draw {path}: {reason}")]
    Draw {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A named line of (epoch, value).
struct Curve {
    label: String,
    points: Vec<(f64, f64)>,
}

/// What a plot says.
struct Figure<'a> {
    title: String,
    unit: &'a str,
    /// Smallest and largest value shown.
    range: (f64, f64),
    curves: Vec<Curve>,
}

/// Draws `incentive.svg`, `dividends.svg` and `issuance.svg` from the tables in `dir`.
///
/// # Errors
/// See [`PlotError`].
pub fn plot(dir: &Path) -> Result<(), PlotError> {
    let path = dir.join("summary.json");
    let unreadable = |reason: String| PlotError::Summary { path: path.clone(), reason };
    let json = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let summary: Summary = serde_json::from_str(&json).map_err(|error| unreadable(error.to_string()))?;
    let rows: Vec<Row> = table(&dir.join("epochs.csv"))?;
    let supply: Vec<SupplyRow> = table(&dir.join("supply.csv"))?;
    let name = &summary.scenario;
    let incentive =
        shares(&rows, Role::Miner, format!("{name}: incentive of each miner"), |row| row.incentive);
    draw(&dir.join("incentive.svg"), &incentive)?;
    let dividends =
        shares(&rows, Role::Validator, format!("{name}: dividends of each validator"), |row| row.dividend);
    draw(&dir.join("dividends.svg"), &dividends)?;
    draw(&dir.join("issuance.svg"), &issuance(&supply, name))
}

fn table<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, PlotError> {
    let failed = |source| PlotError::Table { path: path.to_owned(), source };
    csv::Reader::from_path(path).map_err(failed)?.into_deserialize().collect::<Result<_, _>>().map_err(failed)
}

fn shares(rows: &[Row], role: Role, title: String, value: fn(&Row) -> f64) -> Figure<'static> {
    let mut curves: BTreeMap<(u16, &str), Curve> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.role == role) {
        let label = || format!("{} · {} ({})", row.uid, row.name, row.behaviour);
        let curve = curves
            .entry((row.uid, &row.name))
            .or_insert_with(|| Curve { label: label(), points: Vec::new() });
        curve.points.push((row.epoch as f64, value(row)));
    }
    let top = rows.iter().filter(|row| row.role == role).map(value).fold(0.0, f64::max);
    let range = (0.0, if top > 0.0 { top * 1.05 } else { 1.0 });
    Figure { title, unit: "share of 1", range, curves: curves.into_values().collect() }
}

fn issuance(supply: &[SupplyRow], name: &str) -> Figure<'static> {
    let curve = |label: &str, value: fn(&SupplyRow) -> u64| Curve {
        label: label.to_owned(),
        points: supply.iter().map(|row| (row.epoch as f64, value(row) as f64 / 1e9)).collect(),
    };
    let start = supply.first().map_or(0, |row| row.issuance - row.minted + row.burned) as f64 / 1e9;
    let curves = vec![
        curve("issuance − genesis", |row| row.minted.saturating_sub(row.burned)),
        curve("burned", |row| row.burned),
    ];
    let top = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(0.0, f64::max);
    let title = format!("{name}: issuance above the {start:.0} ACU of genesis");
    Figure { title, unit: "ACU", range: (0.0, if top > 0.0 { top * 1.05 } else { 1.0 }), curves }
}

fn draw(path: &Path, figure: &Figure<'_>) -> Result<(), PlotError> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let drawn = render(&area, figure).and_then(|()| area.present().map_err(|error| error.to_string()));
    drawn.map_err(|reason| PlotError::Draw { path: path.to_owned(), reason })
}

fn style(index: usize) -> ShapeStyle {
    COLOURS[index % COLOURS.len()].stroke_width(2)
}

fn render(area: &DrawingArea<SVGBackend<'_>, Shift>, figure: &Figure<'_>) -> Result<(), String> {
    let text = |error: DrawingAreaErrorKind<_>| error.to_string();
    area.fill(&WHITE).map_err(text)?;
    let (left, right) = area.split_horizontally(SIZE.0 - LEGEND_WIDTH);
    let last = figure.curves.iter().flat_map(|curve| &curve.points).map(|point| point.0).fold(2.0, f64::max);
    let mut chart = ChartBuilder::on(&left)
        .caption(&figure.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(1.0..last, figure.range.0..figure.range.1)
        .map_err(text)?;
    let digits = if figure.range.1 < 10.0 { 2 } else { 0 };
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc(figure.unit)
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|value| format!("{value:.digits$}"))
        .light_line_style(RGBColor(240, 240, 240))
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 16))
        .draw()
        .map_err(text)?;
    for (index, curve) in figure.curves.iter().take(MAX_CURVES).enumerate() {
        let points = curve.points.iter().copied();
        if index < COLOURS.len() {
            chart.draw_series(LineSeries::new(points, style(index))).map_err(text)?;
        } else {
            chart.draw_series(DashedLineSeries::new(points, 6, 4, style(index))).map_err(text)?;
        }
    }
    legend(&right, &figure.curves)
}

fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>, curves: &[Curve]) -> Result<(), String> {
    let text = |error: DrawingAreaErrorKind<_>| error.to_string();
    for (index, curve) in curves.iter().take(MAX_CURVES).enumerate() {
        let y = 52 + 19 * i32::try_from(index).unwrap_or(0);
        let half = if index < COLOURS.len() { 24 } else { 10 };
        area.draw(&PathElement::new([(0, y), (half, y)], style(index))).map_err(text)?;
        if index >= COLOURS.len() {
            area.draw(&PathElement::new([(14, y), (24, y)], style(index))).map_err(text)?;
        }
        area.draw(&Text::new(curve.label.clone(), (30, y - 7), ("sans-serif", 14))).map_err(text)?;
    }
    if curves.len() > MAX_CURVES {
        let y = 52 + 19 * 24;
        let note = format!("and {} more (see epochs.csv)", curves.len() - MAX_CURVES);
        area.draw(&Text::new(note, (30, y), ("sans-serif", 14))).map_err(text)?;
    }
    Ok(())
}
