use std::fmt::Write;

use super::CaseRecord;
use super::table::number;
use crate::compare::Spread;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 110.0;
const ROW: f64 = 22.0;
const TITLE: f64 = 34.0;

/// Colours of the sides, readable on white and for who sees no red or green.
const COLOURS: [&str; 6] = ["#1b6ca8", "#56b4e9", "#999999", "#cccccc", "#e69f00", "#8a6d3b"];

/// A picture of a scenario: for each case, what the sides come to in the figure that its first bar
/// is about, with the least and the greatest of the rounds. None when no case has a bar.
pub(super) fn picture(cases: &[CaseRecord]) -> Option<String> {
    let groups: Vec<Group<'_>> = cases.iter().filter_map(Group::of).collect();
    let height: f64 = groups.iter().map(Group::height).sum();
    if groups.is_empty() {
        return None;
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{height:.0}\" fill=\"#fff\"/>\n"
    );
    let mut top = 0.0;
    for group in &groups {
        group.draw(&mut svg, top);
        top += group.height();
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// What is shown of a case.
struct Group<'r> {
    title: String,
    sides: Vec<(&'r str, Spread)>,
}

impl<'r> Group<'r> {
    fn of(case: &'r CaseRecord) -> Option<Self> {
        let metric = &case.bars.first()?.metric;
        let sides = case.outcome.sides().iter();
        let sides: Vec<_> = sides
            .filter_map(|side| Some((side.as_str(), case.outcome.spread(side, metric)?)))
            .collect();
        let title = format!("{}: {metric}", case.name);
        (!sides.is_empty()).then_some(Self { title, sides })
    }

    fn height(&self) -> f64 {
        TITLE + ROW * self.sides.len() as f64
    }

    fn draw(&self, svg: &mut String, top: f64) {
        let most =
            self.sides.iter().map(|(_, spread)| spread.most).fold(f64::MIN_POSITIVE, f64::max);
        let x = |value: f64| LEFT + value.max(0.0) / most * (WIDTH - LEFT - RIGHT);
        let title = escaped(&self.title);
        line(
            svg,
            &format!("<text x=\"8\" y=\"{:.0}\" font-weight=\"bold\">{title}</text>", top + 22.0),
        );
        for (place, (name, spread)) in self.sides.iter().enumerate() {
            let y = top + TITLE + ROW * place as f64;
            let (colour, middle) = (COLOURS[place % COLOURS.len()], y + ROW / 2.0 - 3.0);
            let (least, most) = (x(spread.least), x(spread.most));
            let width = x(spread.median) - LEFT;
            let (name, value) = (escaped(name), number(spread.median));
            line(
                svg,
                &format!(
                    "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>\
                 <rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>\
                 <path d=\"M{least:.1} {middle:.1}H{most:.1}M{least:.1} {:.1}v8M{most:.1} {:.1}v8\" \
                 stroke=\"#222\" fill=\"none\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\">{value}</text>",
                    LEFT - 8.0,
                    y + 12.0,
                    middle - 4.0,
                    middle - 4.0,
                    most + 6.0,
                    y + 12.0,
                ),
            );
        }
    }
}

fn line(svg: &mut String, text: &str) {
    // A string takes whatever is written to it.
    let _ = writeln!(svg, "{text}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Comparison, Figures};

    #[test]
    fn a_picture_shows_every_side_of_a_case_with_a_bar() {
        let mut comparison = Comparison::new();
        for (name, cost) in [("server", 30.0), ("a < b", 20.0)] {
            comparison.side(name, move || Ok(Figures::default().with("cost", cost)));
        }
        let bars = vec![toml::from_str("metric = 'cost'\nof = ['server']").unwrap()];
        let outcome = comparison.run(2, 0).unwrap();
        let case = CaseRecord { name: "case".into(), bars, outcome, seconds: 1.0 };
        let svg = picture(std::slice::from_ref(&case)).unwrap();
        assert!(svg.contains("case: cost") && svg.contains("a &lt; b") && svg.contains("30.0"));
        assert_eq!(svg.matches("<rect").count(), 3);
        assert_eq!(picture(&[CaseRecord { bars: Vec::new(), ..case }]), None);
    }
}
