//! Images whose rows are single voxels, as a 2-D image with a third axis put behind: another axis takes their place.
//!
//! Kernels take vectors of voxels from rows, and a row costs as much as many voxels. Where the last axis has one voxel,
//! which is not its own neighbour, no label names a neighbour along it. So it can change places with another axis, and
//! the labels that remain keep their order: the lowest index among equal scores stays the lowest. Afterwards labels get
//! the names that they have in the caller's order.

use crate::steepest::job::Job;
use crate::steepest::rule::Border;
use crate::volume::{Element, ElementType};

/// Axis 2 and another one, to be exchanged.
#[derive(Clone, Copy)]
pub(crate) struct Exchange {
    /// 0 or 1.
    pub axis: usize,
}

impl Exchange {
    /// What is worth it, if anything is. `all` planes are to be labelled.
    pub fn of(shape: [usize; 3], border: [Border; 3], all: bool) -> Option<Exchange> {
        let thin = |axis: usize| shape[axis] == 1 && border[axis] != Border::Periodic;
        let [planes, rows, _] = shape;
        let axis = if rows > 1 { 1 } else { 0 };
        // Where both have no neighbours, there is only one order.
        let other = axis == 1 || (planes > 1 && all && thin(1));
        (thin(2) && other).then_some(Exchange { axis })
    }

    /// The label of a neighbour once the axes are exchanged; and back.
    pub fn label(self, label: usize) -> usize {
        let mut offset = [label / 9, label / 3 % 3, label % 3];
        offset.swap(self.axis, 2);
        9 * offset[0] + 3 * offset[1] + offset[2]
    }

    /// Gives the labels that a task has written their names. (0 and 27 keep theirs.)
    pub fn rename(self, job: &Job, task: usize) {
        let names: [u8; 32] = std::array::from_fn(|i| if i < 27 { self.label(i) as u8 } else { i as u8 });
        let block = job.block(task);
        match job.labels.element_type() {
            ElementType::F32 => rename::<f32>(job, block, |label| f32::from(names[label as usize & 31])),
            _ => rename::<u8>(job, block, |label| names[usize::from(label) & 31]),
        }
    }
}

fn rename<T: Element>(job: &Job, [z, y, x]: [[usize; 2]; 3], name: impl Fn(T) -> T) {
    let step = job.labels.stride()[2];
    for (z, y) in (z[0]..z[1]).flat_map(|z| (y[0]..y[1]).map(move |y| (z, y))) {
        // SAFETY: the block lies within the labels, whose type is T, and is this task's alone.
        unsafe {
            let row = job.labels.at::<T>([z, y, x[0]]);
            if step == 1 {
                let row = std::slice::from_raw_parts_mut(row, x[1] - x[0]);
                row.iter_mut().for_each(|label| *label = name(*label));
            } else {
                for i in 0..(x[1] - x[0]) as isize {
                    let label = row.offset(i * step);
                    *label = name(*label);
                }
            }
        }
    }
}
