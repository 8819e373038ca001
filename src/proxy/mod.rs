//! The filter between an application and a D-Bus bus. Floor 5.
//!
//! An application in a sandbox does not get the bus's socket. It gets one of
//! ours, and for each connection that it makes we make one to the bus, read
//! every message in both directions, and pass on what the rules allow.
//!
//! # What a name is to the application
//!
//! Each well-known name has a level; a name without one is hidden. The level
//! of a unique name is the highest of all the names that it has ever owned.
//!
//! | level | towards the name | from the name |
//! |---|---|---|
//! | hidden | calls are answered as if nobody owned it: `ServiceUnknown`, or `NameHasNoOwner` for unique names and with NO_AUTO_START; signals vanish | broadcasts vanish; calls and signals to the application alone pass, and make the sender seen |
//! | see | it is in lists of names and can be asked about; calls are answered `AccessDenied`, signals vanish | as above; the bus tells when it changes hands |
//! | talk | all calls and signals pass; it can be started | broadcasts pass |
//! | own | as talk | as talk; the application can own it |
//!
//! `org.example.*` is the name `org.example` and all beneath it. Beside the
//! levels there are rules: a call rule opens single calls, a broadcast rule
//! single broadcasts. Each makes the name visible, lets it be started, and
//! opens nothing else. A rule can name an interface, a member, an object path
//! or all beneath one, and what the first argument has to be.
//!
//! The bus itself and the application's own unique name have the level talk.
//! A peer that has called the application or sent it a signal is seen from
//! then on, so that its end can be noticed. Peers are trusted to that extent:
//! who is not must sit behind a filter of its own.
//!
//! # Methods of the bus
//!
//! | method | |
//! |---|---|
//! | Hello | first, and once; a second is answered `Failed` |
//! | AddMatch, RemoveMatch | the rule is parsed and written anew; `eavesdrop` is refused with `AccessDenied`, what is no rule with `MatchRuleInvalid` |
//! | ListNames, ListActivatableNames | pass; the reply loses what is not seen |
//! | GetNameOwner, GetConnectionUnixUser, GetConnectionUnixProcessID, GetConnectionCredentials, GetConnectionSELinuxSecurityContext, GetAdtAuditSessionData | see; else `NameHasNoOwner` |
//! | NameHasOwner | see; else the answer is no |
//! | StartServiceByName | talk; seen: `AccessDenied`, hidden: `ServiceUnknown` |
//! | RequestName, ReleaseName | own; seen: `AccessDenied`, hidden: `ServiceUnknown` |
//! | ListQueuedOwners | own; seen: `AccessDenied`, hidden: `NameHasNoOwner` |
//! | GetId, Introspectable.Introspect | pass |
//! | Peer.Ping | passes when it names nobody |
//! | UpdateActivationEnvironment, BecomeMonitor, Properties, all others | `AccessDenied` |
//!
//! A call without a destination is judged as one to the bus, because some
//! buses take it for one. NameOwnerChanged passes for names that are seen.
//!
//! # Replies
//!
//! A message is a reply if its type says so, and by nothing else. It passes
//! only if it answers a call that is open, comes from the one that was called
//! (or from the bus on its behalf), and it closes that call: the next one is
//! dropped. Calls or signals that quote a serial as if they were replies are
//! refused.
//!
//! The application's serials stay between it and us. Each message gets one of
//! ours on its way to the bus, and a reply gets the application's back. So it
//! can use any serials in any order; only one whose call is still open ends
//! the connection, because the reply to it could be taken for either.
//!
//! # Limits
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | a message; its header fields; names; signatures | 128 MiB; 64 MiB; 255; 255 with 32 arrays and 32 structs deep | the connection ends |
//! | a line of the handshake; lines | 16 KiB; 64 | the connection ends |
//! | descriptors with one message | 253 | the connection ends |
//! | descriptors that a message does not declare | 0 | they are closed when it has come |
//! | what waits for one side | 256 KiB or 64 descriptors, and one message | the other side is not read |
//! | all that is held in memory | 512 MiB | a connection with a message over 1 MiB ends |
//! | open calls of one client | 16,384 | `LimitsExceeded` |
//! | open calls to one client | 4,096 | the oldest is given up |
//! | peers that one client knows | 4,096 | the first is hidden again |
//! | a match rule | 1,024 bytes | `LimitsExceeded` |
//! | clients | 1,024, or a quarter of the limit of descriptors | they wait in the socket's queue |
//!
//! # Deviations from xdg-dbus-proxy
//!
//! Levels, rules and the command line are those of xdg-dbus-proxy, so that
//! what is written for it works. We differ where it forwards what it has not
//! understood:
//!
//! * it forwards the handshake and looks for its end; we speak it ourselves
//!   on both sides ([`auth`]),
//! * it forwards match rules and looks for a word in them; we parse them,
//! * it counts a reply by its serial; we also look at who sends it, and in
//!   versions before 0.1.8 anything that quoted a serial was a reply,
//! * in its versions 0.1.6 and 0.1.7 any rule opens all broadcasts of the
//!   name; in ours, as in its others, only a broadcast rule does,
//! * it accepts a reply-less Hello, repeated Hellos, duplicate header fields,
//!   padding that is not zero, and calls to nobody,
//! * it keeps high serials for itself, and before 0.1.6 wanted serials to
//!   rise; we translate them,
//! * it asks the bus for a Ping in place of what it refuses; we answer at
//!   once, with the text that the bus has for names that do not exist,
//! * it answers questions about hidden connections with `ServiceUnknown`, as
//!   no bus does; we say `NameHasNoOwner`,
//! * it drops calls to the application only by level; we also drop what is
//!   addressed to somebody else, which only an eavesdropper would get.
//!
//! One thing is added: a rule may end in `#ARGUMENT` ([`rules`]).
//!
//! # System calls
//!
//! Once [`relay::Relay::new`] has returned, and as long as nobody observes,
//! the loop uses epoll_wait, epoll_ctl, accept4, socket, setsockopt,
//! getsockopt, connect, recvmsg, sendmsg and close, and what the allocator
//! needs (brk, mmap, munmap, mremap, madvise, futex). When it ends: unlink,
//! exit_group. An observer writes (write).

pub mod address;
pub mod auth;
pub mod calls;
pub mod client;
pub mod decide;
pub mod event;
pub mod grammar;
pub mod link;
pub mod matching;
pub mod names;
pub mod relay;
pub mod rules;
pub mod session;
pub mod wire;

/// The name of the bus itself.
pub const BUS: &str = "org.freedesktop.DBus";
