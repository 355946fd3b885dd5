//! One line chart: titled axes with units, direct legend, colours that colour-blind readers can tell apart, each curve
//! with its own marker, on a white ground so that it reads on any page.

use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

const SIZE: (u32, u32) = (960, 440);
const LEGEND: u32 = 300;

/// Okabe and Ito's colours, the readable ones on white.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(90, 90, 90),
];

/// A named line.
pub struct Curve {
    pub label: String,
    pub points: Vec<(f64, f64)>,
}

/// What a chart says.
pub struct Figure {
    pub title: String,
    pub x: &'static str,
    pub y: &'static str,
    pub x_range: Range<f64>,
    pub y_range: Range<f64>,
    /// Both axes logarithmic.
    pub logarithmic: bool,
    pub curves: Vec<Curve>,
}

impl Figure {
    /// Prints the numbers and draws them.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        println!("\n{}\n{} | {}", self.title, self.x, self.y);
        for curve in &self.curves {
            let points: Vec<String> = curve.points.iter().map(|(x, y)| format!("({x:.4}, {y:.4})")).collect();
            println!("  {}: {}", curve.label, points.join(" "));
        }
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(SIZE.0 - LEGEND);
        let mut builder = ChartBuilder::on(&left);
        builder
            .caption(&self.title, ("sans-serif", 19))
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(72);
        if self.logarithmic {
            let (x, y) = (self.x_range.clone().log_scale(), self.y_range.clone().log_scale());
            self.draw(builder.build_cartesian_2d(x, y)?)?;
        } else {
            self.draw(builder.build_cartesian_2d(self.x_range.clone(), self.y_range.clone())?)?;
        }
        self.legend(&right)?;
        area.present()?;
        Ok(())
    }

    fn draw<'a, X, Y>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    ) -> Result<(), Box<dyn Error>>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let short = |value: &f64| {
            let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.4}") };
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        };
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .light_line_style(RGBColor(244, 244, 244))
            .bold_line_style(RGBColor(218, 218, 218))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .draw()?;
        for (index, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            chart.draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)))?;
            match index % 3 {
                0 => chart.draw_series(curve.points.iter().map(|&at| Circle::new(at, 4, colour.filled())))?,
                1 => chart.draw_series(
                    curve.points.iter().map(|&at| TriangleMarker::new(at, 6, colour.filled())),
                )?,
                _ => chart
                    .draw_series(curve.points.iter().map(|&at| Cross::new(at, 4, colour.stroke_width(2))))?,
            };
        }
        Ok(())
    }

    fn legend(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
        for (index, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let y = 60 + 26 * i32::try_from(index)?;
            area.draw(&PathElement::new([(4, y), (36, y)], colour.stroke_width(2)))?;
            match index % 3 {
                0 => area.draw(&Circle::new((20, y), 4, colour.filled()))?,
                1 => area.draw(&TriangleMarker::new((20, y), 6, colour.filled()))?,
                _ => area.draw(&Cross::new((20, y), 4, colour.stroke_width(2)))?,
            };
            area.draw(&Text::new(curve.label.clone(), (44, y - 8), ("sans-serif", 15)))?;
        }
        Ok(())
    }
}
