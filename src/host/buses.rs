//! The addresses of the buses that a program outside would use, found as
//! libdbus and GDBus find them. Looked for only when a bus is granted.

use crate::model::bus_address::{self, BusAddress};
use crate::model::facts::HostFacts;
use crate::model::path::AbsPath;
use crate::model::plan::Bus;

use super::fs::{HostFs, NodeKind};

/// Where the system bus is by the D-Bus specification, and where its socket
/// really is where `/var/run` is no link.
const SYSTEM: [&str; 2] = ["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"];

/// Why a bus cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBus {
    /// No address is stated, and nothing listens where it would by default.
    #[error("there is none: {0} is not set, and no socket is where it would be")]
    Missing(&'static str),
    /// The stated address is none that can be used.
    #[error("{0} cannot be used")]
    Address(&'static str, #[source] bus_address::AddressError),
    /// The stated address leads nowhere.
    #[error("{0} names {1}, where nothing listens")]
    Dead(&'static str, String),
}

/// The variable that states a bus's address.
pub fn variable(bus: Bus) -> &'static str {
    match bus {
        Bus::Session => "DBUS_SESSION_BUS_ADDRESS",
        Bus::System => "DBUS_SYSTEM_BUS_ADDRESS",
        Bus::Accessibility => "AT_SPI_BUS_ADDRESS",
    }
}

/// Finds a bus.
///
/// # Errors
/// Why there is none.
pub fn find(fs: &HostFs, facts: &HostFacts, bus: Bus) -> Result<BusAddress, NoBus> {
    let name = variable(bus);
    let stated = facts.environment.get(name).filter(|text| !text.is_empty());
    if let Some(text) = stated {
        let addresses = bus_address::parse(text).map_err(|error| NoBus::Address(name, error))?;
        let first = addresses.into_iter().find(|address| listens(fs, address));
        return first.ok_or_else(|| NoBus::Dead(name, text.clone()));
    }
    usual(facts, bus)
        .into_iter()
        .map(BusAddress::Path)
        .find(|address| listens(fs, address))
        .ok_or(NoBus::Missing(name))
}

/// Where a bus listens when nothing is stated.
fn usual(facts: &HostFacts, bus: Bus) -> Vec<String> {
    let runtime = |rest: &str| facts.runtime_dir.as_ref().map(|dir| format!("{dir}/{rest}"));
    match bus {
        Bus::Session => runtime("bus").into_iter().collect(),
        Bus::System => SYSTEM.map(str::to_owned).to_vec(),
        // at-spi-bus-launcher names it by the display where there is one.
        Bus::Accessibility => {
            let display = facts.x11.as_ref().and_then(|x11| {
                let number = x11.number;
                runtime(&format!("at-spi/bus_{number}"))
            });
            display.into_iter().chain(runtime("at-spi/bus")).collect()
        }
    }
}

/// Whether something may listen at an address. Abstract names cannot be looked
/// up in files.
fn listens(fs: &HostFs, address: &BusAddress) -> bool {
    match address {
        BusAddress::Abstract(_) => true,
        BusAddress::Path(path) => AbsPath::new(path)
            .ok()
            .and_then(|path| fs.look_following(&path).ok())
            .is_some_and(|node| node.kind == NodeKind::Socket),
    }
}
