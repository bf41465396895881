//! Keeps a team's threads off the CPU that the caller is on. A kernel may wake a thread on the CPU of the one that
//! wakes it though another is idle; they would take turns there, and be slower than the caller alone.

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) use linux::{Place, Places};

#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(super) use elsewhere::{Place, Places};

#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux {
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use std::sync::{Arc, OnceLock};

    /// A thread's, which says who it is.
    pub struct Place(Arc<OnceLock<Pid>>);

    impl Place {
        pub fn take(&self) {
            self.0.get_or_init(gettid);
        }
    }

    /// What the caller knows of another thread.
    struct Other {
        thread: Arc<OnceLock<Pid>>,
        /// The CPUs that it may use for all we know, and what is left of them by our doing.
        allowed: CpuSet,
        given: Option<CpuSet>,
    }

    impl Other {
        /// Whether the thread is off the CPU, as far as that can be.
        fn avoid(&mut self, cpu: usize) -> bool {
            let Some(&thread) = self.thread.get() else { return false };
            let Ok(now) = sched_getaffinity(Some(thread)) else { return true };
            if self.given != Some(now) {
                self.allowed = now; // somebody else's wish
            }
            let mut wanted = self.allowed;
            wanted.unset(cpu);
            if wanted.count() == 0 {
                wanted = self.allowed;
            }
            if wanted == now || sched_setaffinity(Some(thread), &wanted).is_ok() {
                self.given = Some(wanted);
            }
            true
        }
    }

    /// The places of all threads but the caller.
    #[derive(Default)]
    pub struct Places {
        others: Vec<Other>,
        /// The CPU that they are off.
        clear: Option<usize>,
    }

    impl Places {
        pub fn add(&mut self) -> Place {
            let thread = Arc::new(OnceLock::new());
            let (allowed, given) = (CpuSet::new(), None);
            self.others.push(Other { thread: Arc::clone(&thread), allowed, given });
            self.clear = None;
            Place(thread)
        }

        /// Has the others leave the CPU that this thread is on. Where they have, that costs a look at its number.
        pub fn clear(&mut self) {
            let cpu = sched_getcpu();
            if self.clear == Some(cpu) || cpu >= CpuSet::MAX_CPU {
                return;
            }
            let mut all = true;
            for other in &mut self.others {
                all &= other.avoid(cpu);
            }
            self.clear = all.then_some(cpu);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::sync::mpsc::channel;

        fn one(cpu: usize) -> CpuSet {
            let mut set = CpuSet::new();
            set.set(cpu);
            set
        }

        #[test]
        fn others_leave_the_callers_cpu_and_only_that() {
            let all = sched_getaffinity(None).unwrap();
            let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
            let (mut places, (end, ended)) = (Places::default(), channel::<()>());
            let (place, (tell, told)) = (places.add(), channel());
            places.clear(); // before the thread said who it is
            let other = std::thread::spawn(move || {
                place.take();
                tell.send(gettid()).unwrap();
                ended.recv().unwrap();
            });
            let thread = Some(told.recv().unwrap());
            for &cpu in &cpus {
                sched_setaffinity(None, &one(cpu)).unwrap();
                places.clear();
                let mut expected = all;
                if cpus.len() > 1 {
                    expected.unset(cpu);
                }
                assert_eq!(sched_getaffinity(thread).unwrap(), expected);
            }
            // A choice of somebody else is kept, though it is a single CPU and the caller's.
            let last = one(*cpus.last().unwrap());
            sched_setaffinity(thread, &last).unwrap();
            for cpu in [cpus[0], *cpus.last().unwrap()] {
                sched_setaffinity(None, &one(cpu)).unwrap();
                places.clear();
                assert_eq!(sched_getaffinity(thread).unwrap(), last);
            }
            end.send(()).unwrap();
            other.join().unwrap();
        }
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod elsewhere {
    pub struct Place;

    impl Place {
        pub fn take(&self) {}
    }

    #[derive(Default)]
    pub struct Places;

    impl Places {
        pub fn add(&mut self) -> Place {
            Place
        }

        pub fn clear(&mut self) {}
    }
}
