//! Pinfold runs unmodified desktop programs in sandboxes that explain
//! themselves. This page is the architecture.
//!
//! > A manifest is text. A policy is merged text that remembers where each
//! > line came from. A plan is the whole truth. The executor is simple-minded.
//! > The child is mute.
//!
//! # The flow
//!
//! ```text
//!  manifests/*.toml, /etc/pinfold, ~/.config/pinfold, flags      the host, through one root fd
//!           │ manifest::parse                                        │ host::facts
//!           ▼                                                        ▼
//!      Manifest[] ── manifest::stack ──> Policy              HostFacts, HostFs
//!                                           └──── resolve ────┘   pure: no privilege, no change
//!                                                   ▼
//!      view: show, plan, dry run  <────────  Plan: explicit, ordered, each step with its origin
//!                                                   │ freeze: C strings, witnesses, filter, ruleset
//!                                                   ▼
//!                                  Frozen ── exec::launch: one clone3 ──> stage ──> init ──> app
//!                                                   ▲                       │
//!                                            exec::monitor <── 16 bytes ────┘
//! ```
//!
//! # The floors
//!
//! A module uses modules of lower floors, and of its own where that leads to
//! no circle; `tests/house.rs` holds that.
//!
//! | floor | module | its one job |
//! |---|---|---|
//! | 0 | [`sys`] | system calls, and the only `unsafe` |
//! | 1 | [`model`] | the words, as pure data |
//! | 2 | [`report`] | diagnostics and exit codes |
//! | 3 | [`manifest`], [`import`], [`catalogue`], [`host`], [`instance`] | text to policy; manifests from what other sandboxes have; what portals open; the host; what is remembered |
//! | 4 | [`resolve`], [`starter`], [`lint`] | policy and host to plan: one file for each permission; a first manifest from a desktop entry; what is unwise about a policy |
//! | 5 | [`freeze`], [`proxy`], [`hostbus`] | plan to what the child can use; the D-Bus filter; questions to the session |
//! | 6 | [`exec`], [`export`], [`explain`] | the processes of a run: one file for each role; plans and policies in the terms of other sandboxes; answers about a plan |
//! | 7 | [`view`] | policies, plans and reports for people |
//! | 8 | [`cmd`], [`cli`] | wiring |
//!
//! # The processes of a run
//!
//! The *launcher* parses, plans, freezes and clones, and is then the
//! *monitor*: one poll loop, which passes signals on and ends with the
//! application's exit code. The child is first the *stage*, which walks over
//! the frozen plan without allocating, and then *init*, pid 1 of the sandbox:
//! it confines itself (no capabilities, no_new_privs, landlock, the filter)
//! before it forks the application, so that whatever it ever forks is
//! confined alike. When the monitor ends the sandbox ends, and the other way
//! round.
//!
//! Where a host refuses namespaces, and a person asks for it by
//! `--degraded=landlock`, the same processes run without any: [`resolve`]
//! turns the plan into one that landlock and the filter can keep alone, or
//! refuses.
//!
//! # Where a new permission goes
//!
//! Its word into [`model::permission`], its key into [`model::manifest`] and
//! the table of keys in [`manifest`], what it opens into a file of its own in
//! [`resolve`], what people read about it into [`view`], what is unwise about
//! it into [`lint`], its proof into `tests/sandbox`. Nothing else has to be
//! touched: the executor knows no permissions, only steps.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

pub mod catalogue;
pub mod cli;
pub mod cmd;
pub mod exec;
pub mod explain;
pub mod export;
pub mod freeze;
pub mod host;
pub mod hostbus;
pub mod import;
pub mod instance;
pub mod lint;
pub mod manifest;
pub mod model;
pub mod proxy;
pub mod report;
pub mod resolve;
pub mod starter;
pub mod sys;
pub mod view;
