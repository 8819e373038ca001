//! What Pinfold remembers between runs: which sandboxes run now, and in which
//! folders applications have ever been allowed to write. Floor 3.
//!
//! Neither place can be written from inside a sandbox: the first lies in the
//! runtime folder, of which nothing but single sockets is ever shown, the
//! second is a protected path.

pub mod portal;
pub mod processes;
pub mod record;
pub mod written;
