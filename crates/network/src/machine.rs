//! One machine with its namespaces: what a kubelet, a program and the cable between machines
//! call.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use sim::{Digest, Digestible, Time};
use trace::Trace;

use crate::{
    Cidr, Frame, MacAddress, NamespaceId, Owner, Payload, Ready, SocketError, SocketEvent,
    SocketId, TransportProtocol,
};

/// What a machine is made with.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// Its host name, which trace records show.
    pub name: String,
    /// The address of its `eth0` with the range of its link.
    pub address: Cidr,
}

/// The network of one machine.
#[derive(Clone, Debug)]
pub struct Machine {
    options: MachineOptions,
    pods: BTreeMap<NamespaceId, Ipv4Addr>,
    next_id: u64,
    ready: Vec<Ready>,
    outgoing: Vec<Frame>,
}

impl Machine {
    /// A machine with `lo`, `eth0` and the route of its link.
    #[must_use]
    pub fn new(options: MachineOptions) -> Self {
        Machine {
            options,
            pods: BTreeMap::new(),
            next_id: 1,
            ready: Vec::new(),
            outgoing: Vec::new(),
        }
    }

    /// The Ethernet address of `eth0`.
    #[must_use]
    pub fn mac_address(&self) -> MacAddress {
        MacAddress::of(self.options.address.address)
    }

    /// The first address of a namespace's `eth0`.
    #[must_use]
    pub fn address_of(&self, namespace: NamespaceId) -> Ipv4Addr {
        self.pods.get(&namespace).copied().unwrap_or(self.options.address.address)
    }

    /// Sets the range that the CNI plugin hands out pod addresses from; makes the bridge.
    pub fn set_pod_range(&mut self, range: Cidr) {
        let _ = range;
    }

    /// CNI ADD: makes a namespace with `lo` and `eth0`, a veth pair to the bridge, an address.
    ///
    /// # Errors
    /// The plugin's words.
    pub fn add_pod(&mut self, sandbox: &str) -> Result<(NamespaceId, Ipv4Addr), String> {
        let _ = sandbox;
        Err("no network".to_string())
    }

    /// CNI DEL: takes the namespace away with everything in it.
    pub fn remove_pod(&mut self, namespace: NamespaceId, now: Time) {
        self.pods.remove(&namespace);
        let _ = now;
    }

    /// Listens; see [`crate::Sockets::listen`].
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen(
        &mut self,
        namespace: NamespaceId,
        owner: Owner,
        protocol: TransportProtocol,
        local: (Option<Ipv4Addr>, u16),
    ) -> Result<SocketId, SocketError> {
        let _ = (namespace, owner, protocol, local);
        self.next_id += 1;
        Ok(SocketId(self.next_id))
    }

    /// Begins to connect; see [`crate::Sockets::connect`].
    ///
    /// # Errors
    /// There is no route or no free port.
    pub fn connect(
        &mut self,
        namespace: NamespaceId,
        owner: Owner,
        to: SocketAddrV4,
        now: Time,
    ) -> Result<SocketId, SocketError> {
        let _ = (namespace, to, now);
        self.next_id += 1;
        let socket = SocketId(self.next_id);
        self.ready.push(Ready { owner, socket, event: SocketEvent::Refused });
        Ok(socket)
    }

    /// Sends over a connection.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(
        &mut self,
        socket: SocketId,
        payload: Payload,
        now: Time,
    ) -> Result<(), SocketError> {
        let _ = (socket, payload, now);
        Err(SocketError::BrokenPipe)
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// There is no route.
    pub fn send_to(
        &mut self,
        socket: SocketId,
        to: SocketAddrV4,
        payload: Payload,
        now: Time,
    ) -> Result<(), SocketError> {
        let _ = (socket, to, payload, now);
        Err(SocketError::NetworkUnreachable)
    }

    /// Closes a socket.
    pub fn close(&mut self, socket: SocketId, now: Time) {
        let _ = (socket, now);
    }

    /// Closes everything of an owner, as the kernel does when a process ends.
    pub fn close_owner(&mut self, owner: Owner, now: Time) {
        self.ready.retain(|ready| ready.owner != owner);
        let _ = now;
    }

    /// A frame arrives at `eth0`.
    pub fn receive(&mut self, frame: Frame, now: Time, trace: &mut Trace) {
        let _ = (frame, now, trace);
    }

    /// Does what is due: deliveries within the machine, retransmissions, timeouts.
    pub fn advance(&mut self, now: Time, trace: &mut Trace) {
        let _ = (now, trace);
    }

    /// When [`Machine::advance`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        None
    }

    /// What happened to sockets since this was last asked, in order.
    pub fn take_ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// The frames that left `eth0` since this was last asked, in order.
    pub fn take_outgoing(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.outgoing)
    }
}

impl Digestible for Machine {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.next_id);
    }
}
