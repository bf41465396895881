//! One thread's run through all steps, with memory of its own.

use super::Binding;
use super::arena::{Arena, Memory, Room};
use super::steps::{BoundStep, Job};
use crate::Error;
use crate::plan::{Area, Region, Schedule};

/// Steps with their areas, and the memory that these are in.
pub(super) struct Solo {
    /// The first `late` run for one image after the other, the others for up to `group` at once.
    steps: Vec<(BoundStep, Vec<Area>)>,
    late: usize,
    group: usize,
    memory: Memory,
    /// A row for each image of a run.
    features: Region,
    logits: Region,
}

impl Solo {
    /// The memory that a schedule takes.
    pub fn room(schedule: &Schedule) -> Room {
        Room::exclusive(schedule.arena)
    }

    #[inline(never)] // large, and called from two places
    pub fn new(
        binding: &Binding<'_>,
        schedule: Schedule,
        arena: &mut Arena,
    ) -> Result<Solo, Error> {
        let memory = arena.take(Solo::room(&schedule)).ok_or_else(|| binding.too_large())?;
        let steps = schedule.steps.into_iter().map(|step| {
            let areas = step.areas();
            Ok((binding.step(step)?, areas))
        });
        Ok(Solo {
            steps: steps.collect::<Result<_, Error>>()?,
            late: schedule.late,
            group: schedule.group,
            memory,
            features: schedule.features,
            logits: schedule.logits,
        })
    }

    /// Runs a job whose first image has the first row of features and logits.
    pub fn run(&mut self, job: Job<'_>) -> Result<(), Error> {
        for (chunk, inputs) in job.inputs.chunks(self.group).enumerate() {
            let job = Job { inputs, first: chunk * self.group, ..job };
            let (early, late) = self.steps.split_at(self.late);
            for image in 0..inputs.len() {
                for (step, areas) in early {
                    step.run(&mut self.memory.exclusive(areas), &job, image..image + 1)?;
                }
            }
            for (step, areas) in late {
                step.run(&mut self.memory.exclusive(areas), &job, 0..inputs.len())?;
            }
        }
        Ok(())
    }

    /// The features and the logits of the last run, a row for each image of a batch.
    pub fn outputs(&self) -> [&[f32]; 2] {
        [self.memory.slice(self.features), self.memory.slice(self.logits)]
    }

    /// What a region holds between runs.
    pub fn region(&self, region: Region) -> &[f32] {
        self.memory.slice(region)
    }

    pub fn steps(&self) -> impl Iterator<Item = &BoundStep> {
        self.steps.iter().map(|(step, _)| step)
    }
}
