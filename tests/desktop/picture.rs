//! Pictures of windows, and what can be told from them.

use std::collections::BTreeMap;

/// A picture: three bytes a point, red, green and blue.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    points: Vec<[u8; 3]>,
}

impl Picture {
    /// Takes apart what `import` writes as `rgb:`.
    pub fn from_rgb(bytes: &[u8]) -> Option<Picture> {
        let (points, rest) = bytes.as_chunks::<3>();
        (!points.is_empty() && rest.is_empty()).then(|| Picture { points: points.to_vec() })
    }

    fn colours(&self) -> BTreeMap<[u8; 3], usize> {
        let mut colours = BTreeMap::new();
        for point in &self.points {
            *colours.entry(*point).or_insert(0) += 1;
        }
        colours
    }

    /// The share of points in any but the most frequent colour, in
    /// thousandths: 0 is a blank window.
    pub fn drawn(&self) -> usize {
        let most = self.colours().into_values().max().unwrap_or(0);
        (self.points.len() - most) * 1000 / self.points.len()
    }

    /// How many colours there are.
    pub fn distinct(&self) -> usize {
        self.colours().len()
    }

    /// The share of points that differ from those of another picture, in
    /// thousandths; none if it has not as many points.
    pub fn difference(&self, other: &Picture) -> Option<usize> {
        if self.points.len() != other.points.len() {
            return None;
        }
        let differ = self.points.iter().zip(&other.points).filter(|(a, b)| a != b).count();
        Some(differ * 1000 / self.points.len())
    }

    /// The share of points in a colour, or nearly in it, in thousandths.
    pub fn share_of(&self, colour: [u8; 3]) -> usize {
        let near = |point: &&[u8; 3]| point.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 12);
        self.points.iter().filter(near).count() * 1000 / self.points.len()
    }
}
