//! What goes wrong with virtual cameras, and when: a list of faults, read from a text of one line each.
//!
//! ```text
//! # when  camera  what      for how long
//!   5s    1       stall     3s
//!   8s    2       lose=30   20s
//!   10s   all     reboot    4s
//! every 30s
//! ```
//!
//! Times count from the first client's connection, and what begins at `0s` is so before it; the list starts again after
//! each `every`. Pure.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::VcamError;
use crate::config::parse_duration;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Silence, with the connection kept.
    Stall,
    /// All connections are cut, and new ones refused until it is over. Of all cameras only.
    Reboot,
    /// All connections are cut. Of all cameras only; has no length.
    Hangup,
    /// This share of the RTP packets is lost, 0 to 100 %.
    Lose(f64),
    /// This share of the RTP packets carries damaged NAL units, 0 to 100 %.
    Corrupt(f64),
    /// This share of the RTP packets of a picture changes places with the next one, 0 to 100 %.
    Shuffle(f64),
    /// Neither the session's description nor the stream holds parameter sets.
    Bare,
    /// Timestamps are this many seconds later, or, negative, earlier, from now on; has no length.
    Jump(f64),
    /// Timestamps stand still.
    Freeze,
    /// Timestamps run backwards.
    Reverse,
    /// Timestamps run too fast by this many percent, or, negative, too slowly.
    Drift(f64),
    /// The next session plays another video; has no length.
    Swap(PathBuf),
}

impl Fault {
    /// Whether it happens at once rather than for a time.
    pub(super) fn is_instant(&self) -> bool {
        matches!(self, Self::Hangup | Self::Jump(_) | Self::Swap(_))
    }

    /// Whether it is the box's and not one camera's.
    pub(super) fn is_of_all(&self) -> bool {
        matches!(self, Self::Reboot | Self::Hangup)
    }
}

/// One line of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When, from the first client's connection; zero: before.
    pub at: Duration,
    /// Which camera, counted from 0; none: all.
    pub camera: Option<usize>,
    /// What.
    pub fault: Fault,
    /// For how long; none: for ever, or at once.
    pub lasts: Option<Duration>,
}

/// A list of faults. Empty: cameras that behave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    /// In any order.
    pub steps: Vec<Step>,
    /// After how long it starts again; none: it is played once.
    pub every: Option<Duration>,
}

impl Script {
    /// Reads a script; paths in it start at `folder`.
    ///
    /// # Errors
    /// With the number of the first line that is not understood, and why.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, VcamError> {
        let mut script = Self::default();
        let mut period = 0;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let read = match words.as_slice() {
                [] => Ok(()),
                ["every", time] => duration(time).map(|time| {
                    script.every = Some(time);
                    period = number + 1;
                }),
                words => step(words, folder).map(|step| script.steps.push(step)),
            };
            read.map_err(|reason| VcamError::Script {
                line: number + 1,
                reason,
            })?;
        }
        let end = |step: &Step| step.at + step.lasts.unwrap_or_default();
        let longest = script.steps.iter().map(end).max().unwrap_or_default();
        if script.every.is_some_and(|every| every <= longest) {
            return Err(VcamError::Script {
                line: period,
                reason: format!(
                    "write a time longer than {} s, the end of the list",
                    longest.as_secs_f64()
                ),
            });
        }
        Ok(script)
    }

    /// The videos that cameras are to change to.
    pub(super) fn videos(&self) -> impl Iterator<Item = &Path> {
        self.steps.iter().filter_map(|step| match &step.fault {
            Fault::Swap(path) => Some(path.as_path()),
            _ => None,
        })
    }
}

fn step(words: &[&str], folder: &Path) -> Result<Step, String> {
    let (at, camera, what, lasts) = match words {
        [at, camera, what] => (at, camera, what, None),
        [at, camera, what, lasts] => (at, camera, what, Some(duration(lasts)?)),
        _ => return Err("write WHEN CAMERA WHAT and, where it ends, FOR-HOW-LONG".to_owned()),
    };
    let camera = match *camera {
        "all" => None,
        number => Some(
            number
                .parse::<usize>()
                .ok()
                .and_then(|number| number.checked_sub(1))
                .ok_or_else(|| format!("\"{number}\" is no camera: write its number, or all"))?,
        ),
    };
    let fault = fault(what, folder)?;
    if fault.is_instant() && lasts.is_some() {
        return Err(format!("{what} happens at once: leave out for how long"));
    }
    if fault.is_of_all() && camera.is_some() {
        return Err(format!("{what} is of the whole box: write all"));
    }
    if fault == Fault::Reboot && lasts.is_none() {
        return Err("reboot needs to say for how long".to_owned());
    }
    Ok(Step {
        at: duration(at)?,
        camera,
        fault,
        lasts,
    })
}

fn fault(what: &str, folder: &Path) -> Result<Fault, String> {
    let (name, value) = what.split_once('=').unwrap_or((what, ""));
    let number = || {
        let number = value.parse::<f64>().ok().filter(|n| n.is_finite());
        number.ok_or_else(|| format!("{name} needs a number: write {name}=10"))
    };
    let share = || {
        let share = number()?;
        match (0.0..=100.0).contains(&share) {
            true => Ok(share),
            false => Err(format!("{name} takes 0 to 100 percent")),
        }
    };
    Ok(match (name, value) {
        ("stall", "") => Fault::Stall,
        ("reboot", "") => Fault::Reboot,
        ("hangup", "") => Fault::Hangup,
        ("lose", _) => Fault::Lose(share()?),
        ("corrupt", _) => Fault::Corrupt(share()?),
        ("shuffle", _) => Fault::Shuffle(share()?),
        ("bare", "") => Fault::Bare,
        ("jump", _) => Fault::Jump(number()?),
        ("freeze", "") => Fault::Freeze,
        ("reverse", "") => Fault::Reverse,
        ("drift", _) => Fault::Drift(number()?),
        ("swap", path) if !path.is_empty() => Fault::Swap(folder.join(path)),
        _ => {
            return Err(format!(
                "\"{what}\" is not known: write stall, reboot, hangup, lose=PERCENT, corrupt=PERCENT, shuffle=PERCENT, bare, jump=SECONDS, freeze, reverse, drift=PERCENT or swap=VIDEO"
            ));
        }
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|_| format!("\"{text}\" is no time: write it as 5s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_read() {
        let script = Script::parse(
            "# a bad day\n\n5s 1 stall 3s  # Wi-Fi\n0s 2 lose=30\n10s all reboot 4s\n7s 1 jump=-3600\n8s 1 swap=b.mp4\nevery 30s\n",
            Path::new("/videos"),
        )
        .unwrap();
        let second = Duration::from_secs;
        assert_eq!(script.every, Some(second(30)));
        let step = |at, camera, fault, lasts| Step {
            at: second(at),
            camera,
            fault,
            lasts,
        };
        assert_eq!(
            script.steps,
            [
                step(5, Some(0), Fault::Stall, Some(second(3))),
                step(0, Some(1), Fault::Lose(30.0), None),
                step(10, None, Fault::Reboot, Some(second(4))),
                step(7, Some(0), Fault::Jump(-3600.0), None),
                step(8, Some(0), Fault::Swap("/videos/b.mp4".into()), None),
            ]
        );
        assert_eq!(script.videos().count(), 1);
    }

    #[test]
    fn a_line_that_is_not_understood_is_told_with_its_number() {
        for (line, hint) in [
            ("5s 1", "write WHEN CAMERA WHAT"),
            ("soon 1 stall", "is no time"),
            ("5s 0 stall", "is no camera"),
            ("5s 1 explode", "is not known"),
            ("5s 1 lose=101", "0 to 100"),
            ("5s 1 lose", "needs a number"),
            ("5s 1 jump=1 2s", "happens at once"),
            ("5s 1 reboot 2s", "whole box"),
            ("5s all reboot", "for how long"),
            ("every 0s", "longer than 0 s"),
            ("every 5s\n4s 1 stall 3s", "longer than 7 s"),
        ] {
            let error = Script::parse(&format!("\n{line}"), Path::new("")).unwrap_err();
            let told = error.to_string();
            assert!(told.contains("line 2") && told.contains(hint), "{told}");
        }
    }
}
