//! Tiles that own Gaussians: which tile holds the lowest lattice point of a support, and which tiles can meet.

use crate::error::Error;
use crate::scratch::reserve;

use super::support::Axis;

/// The longest axis for which a table of its corners is made.
const LONGEST: usize = 1 << 16;

/// Tiles of lower corners, and their cells for the sort.
///
/// Along a clipped axis supports begin up to their width before the grid; along a periodic one their lower corners
/// are folded into it. Tiles are as equal as can be: with `c` of them over `l` lattice points, tile `i` begins at
/// `i·l/c`. Each is divided into cells of a few voxels, which put neighbours in space next to each other.
#[derive(Debug, Clone)]
pub(super) struct Corners {
    /// Tiles along each axis.
    pub count: [usize; 3],
    /// The first corner of the grid's first tile along each axis.
    pub first: [f64; 3],
    /// For each corner from `first` on what it adds to the number of its cell.
    pub numbers: [Vec<u32>; 3],
    /// Where tiles begin, counted from `first`; one more at the end.
    starts: [Vec<usize>; 3],
    /// The most voxels of a support.
    pub width: usize,
    /// Cells of a tile.
    pub cells_a_tile: usize,
    periodic: [bool; 3],
}

impl Corners {
    /// Tiles of at most `tile` lattice points a side for supports of at most `width`; none if there would be more than
    /// `most` cells.
    pub(super) fn new(
        axes: &[Axis; 3],
        tile: [usize; 3],
        width: usize,
        most: usize,
    ) -> Result<Option<Corners>, Error> {
        let before = axes.map(|axis| if axis.periodic { 0 } else { width });
        let lengths = [0, 1, 2].map(|j| axes[j].n.saturating_add(before[j]));
        if lengths.iter().any(|&length| length > LONGEST) {
            return Ok(None);
        }
        let count = [0, 1, 2].map(|j| lengths[j].div_ceil(tile[j]));
        let tiles = count.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let side = [8, 16, usize::MAX].into_iter().find(|&side| {
            let cells = tile.iter().map(|n| n.div_ceil(side)).product::<usize>();
            tiles.and_then(|tiles| tiles.checked_mul(cells)).is_some_and(|cells| cells <= most)
        });
        let Some(side) = side else { return Ok(None) };
        let parts = tile.map(|n| n.div_ceil(side));
        let cells_a_tile = parts.iter().product::<usize>();
        let tile_steps = [count[1] * count[2], count[2], 1];
        let part_steps = [parts[1] * parts[2], parts[2], 1];
        let (mut starts, mut numbers) = ([vec![], vec![], vec![]], [vec![], vec![], vec![]]);
        for j in 0..3 {
            starts[j] = reserve(count[j] + 1, "where tiles begin")?;
            starts[j].extend((0..=count[j]).map(|i| i * lengths[j] / count[j]));
            numbers[j] = reserve(lengths[j], "the cells of corners")?;
            for (i, range) in starts[j].windows(2).enumerate() {
                for at in range[0]..range[1] {
                    let part = (at - range[0]) / side;
                    numbers[j].push((i * tile_steps[j] * cells_a_tile + part * part_steps[j]) as u32);
                }
            }
        }
        let periodic = axes.map(|axis| axis.periodic);
        Ok(Some(Corners {
            width,
            count,
            first: before.map(|n| -(n as f64)),
            numbers,
            starts,
            cells_a_tile,
            periodic,
        }))
    }

    /// The number of cells.
    pub(super) fn cells(&self) -> usize {
        self.count.iter().product::<usize>() * self.cells_a_tile
    }

    /// A tile's number along each axis.
    pub(super) fn tile(&self, index: usize) -> [usize; 3] {
        let [_, y, x] = self.count;
        [index / (y * x), index / x % y, index % x]
    }

    /// The first corner of a tile, in voxels of the grid, and how many it has, along axis j.
    pub(super) fn range(&self, j: usize, tile: usize) -> (isize, usize) {
        let (start, end) = (self.starts[j][tile], self.starts[j][tile + 1]);
        (start as isize + self.first[j] as isize, end - start)
    }

    /// One of 27 colours: two tiles of one colour are not neighbours.
    pub(super) fn color(&self, index: usize) -> usize {
        let tile = self.tile(index);
        (0..3).fold(0, |color, j| {
            let odd_end = self.periodic[j] && self.count[j] % 2 == 1 && tile[j] + 1 == self.count[j];
            3 * color + if odd_end { 2 } else { tile[j] % 2 }
        })
    }

    /// The tiles next to a tile, itself among them, each once or more.
    pub(super) fn neighbors(&self, index: usize) -> impl Iterator<Item = usize> {
        let tile = self.tile(index);
        (0..27).filter_map(move |i| {
            let step = [i / 9, i / 3 % 3, i % 3];
            let mut neighbor = 0;
            for j in 0..3 {
                let (at, count) = (tile[j] + step[j], self.count[j]);
                let at = match at {
                    0 if self.periodic[j] => count - 1,
                    0 => return None,
                    at if at <= count => at - 1,
                    _ if self.periodic[j] => 0,
                    _ => return None,
                };
                neighbor = neighbor * count + at;
            }
            Some(neighbor)
        })
    }
}
