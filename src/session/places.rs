//! Where a team's threads run: on CPUs of the caller's choice, and off the one that the caller is on. A kernel
//! may wake a thread on the CPU of the one that wakes it though another is idle; they would take turns there, and
//! be slower than the caller alone.

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) use linux::{Places, most_threads};

#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(super) use elsewhere::{Places, most_threads};

#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux {
    use crate::Error;
    use crate::cpu::Cores;
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use std::sync::{Arc, OnceLock};

    /// How many threads have a CPU each, where all but the caller keep to these.
    pub fn most_threads(cores: &Cores) -> usize {
        let of_caller = sched_getaffinity(None).unwrap_or_default();
        let chosen = set_of(cores);
        // The caller may be on another one.
        let other = (0..CpuSet::MAX_CPU).any(|cpu| of_caller.is_set(cpu) && !chosen.is_set(cpu));
        chosen.count() as usize + usize::from(other)
    }

    fn set_of(cores: &Cores) -> CpuSet {
        let mut set = CpuSet::new();
        cores.numbers().filter(|&cpu| cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(cpu));
        set
    }

    /// Who a thread is, once it says so; `None` if it may not use the CPUs that were chosen.
    type Thread = Arc<OnceLock<Option<Pid>>>;

    /// A thread's, which says who it is.
    pub struct Place(Thread);

    impl Place {
        /// Has the thread that calls it keep to some CPUs, if there is a choice of these; tells whether it does.
        pub fn take(&self, cores: Option<&Cores>) -> bool {
            let keeps = cores.map(set_of).is_none_or(|chosen| {
                // Those that a thread may not use are left out without an error.
                let set = sched_setaffinity(None, &chosen).and_then(|()| sched_getaffinity(None));
                set == Ok(chosen)
            });
            self.0.get_or_init(|| keeps.then(gettid)).is_some()
        }
    }

    /// What the caller knows of another thread.
    struct Other {
        thread: Thread,
        /// The CPUs that it may use for all we know, and what is left of them by our doing.
        allowed: CpuSet,
        given: Option<CpuSet>,
    }

    impl Other {
        /// Whether the thread is off the CPU, as far as that can be.
        fn avoid(&mut self, cpu: usize) -> bool {
            let Some(&Some(thread)) = self.thread.get() else { return false };
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

        /// Waits until all others have taken their places, which are on these CPUs.
        pub fn wait(&self, cores: &Cores) -> Result<(), Error> {
            match self.others.iter().all(|other| other.thread.wait().is_some()) {
                true => Ok(()),
                false => {
                    let found = format!("{cores:?}");
                    Err(Error::argument("cores", found, "CPUs that this process may use"))
                }
            }
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
                assert!(place.take(None));
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

        #[test]
        fn threads_keep_to_their_cores() {
            let all = sched_getaffinity(None).unwrap();
            let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
            let absent = (0..CpuSet::MAX_CPU).rev().find(|&cpu| !all.is_set(cpu)).unwrap();
            let take = move |cores: Cores| {
                let mut places = Places::default();
                let place = places.add();
                let thread = std::thread::spawn(move || {
                    let keeps = place.take(Some(&cores));
                    (keeps, sched_getaffinity(None).unwrap())
                });
                let all_keep = places.wait(&cores);
                let (keeps, set) = thread.join().unwrap();
                assert_eq!(keeps, all_keep.is_ok());
                all_keep.map(|()| set)
            };
            for &cpu in &cpus {
                assert_eq!(take(Cores::new([cpu]).unwrap()).unwrap(), one(cpu));
            }
            assert_eq!(take(Cores::new(cpus.iter().copied()).unwrap()).unwrap(), all);
            for wrong in [vec![absent], vec![cpus[0], absent]] {
                let error = take(Cores::new(wrong.iter().copied()).unwrap()).unwrap_err();
                assert!(
                    error.to_string().ends_with("expected CPUs that this process may use"),
                    "{error}"
                );
            }
            let most =
                |numbers: &[usize]| most_threads(&Cores::new(numbers.iter().copied()).unwrap());
            assert_eq!(most(&cpus), cpus.len());
            assert_eq!(most(&[absent]), 2);
        }
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod elsewhere {
    use crate::Error;
    use crate::cpu::Cores;

    /// A session with cores is refused before.
    pub fn most_threads(_: &Cores) -> usize {
        usize::MAX
    }

    pub struct Place;

    impl Place {
        pub fn take(&self, _: Option<&Cores>) -> bool {
            true
        }
    }

    #[derive(Default)]
    pub struct Places;

    impl Places {
        pub fn add(&mut self) -> Place {
            Place
        }

        pub fn wait(&self, _: &Cores) -> Result<(), Error> {
            Ok(())
        }

        pub fn clear(&mut self) {}
    }
}
