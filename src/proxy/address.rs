//! Bus addresses as the kernel takes them.

use rustix::net::SocketAddrUnix;

use crate::model::bus_address::BusAddress;
use crate::sys::Errno;

/// What to connect to.
///
/// # Errors
/// ENAMETOOLONG for what the kernel has no room for.
pub fn socket(address: &BusAddress) -> Result<SocketAddrUnix, Errno> {
    match address {
        BusAddress::Path(path) => SocketAddrUnix::new(path.as_str()),
        BusAddress::Abstract(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
    }
}
