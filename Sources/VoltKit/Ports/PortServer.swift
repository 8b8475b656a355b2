internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// Listens on the published ports of a workload and carries each connection into the network namespace of
/// what the workload is pointed to. The listening sockets stay open when it is pointed to
/// another one: no connection is refused, and those that are open end where they began.
///
/// One thread, since a thread can only be in one network namespace at a time.
final class PortServer {
    private struct Target {
        let published: PublishedPort
        let namespace: Namespace
    }

    private let epoll = volt_epoll()
    private let control: Int32
    private let ownNamespace: Int32
    /// The listening sockets of each port, IPv4 and IPv6.
    private var listeners: [PublishedPort: [Int32]] = [:]
    private var targets: [Int32: Target] = [:]
    private var relays: [UInt64: Relay] = [:]
    private var nextRelay: UInt64 = 1
    private var asking: Set<Int32> = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Flow.capacity, alignment: 4096)
    private var ends = false
    private var isPaused = false

    // The upper half of an event's data says whose it is.
    private static let controlTag: UInt64 = 0
    private static let askTag: UInt64 = 1 << 62
    private static let listenTag: UInt64 = 2 << 62
    private static let relayTag: UInt64 = 3 << 62
    private static let tagMask: UInt64 = 3 << 62
    /// EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET: told once a change, for both directions.
    private static let relayEvents: UInt32 = 0x001 | 0x004 | 0x2000 | 1 << 31
    private static let readable: UInt32 = 0x001

    init(socket path: String) throws(VoltError) {
        ownNamespace = volt_open("/proc/self/ns/net", O_RDONLY, 0)
        control = volt_unix_listen(path)
        guard epoll >= 0, ownNamespace >= 0, control >= 0 else {
            throw SystemError.current.during("cannot listen on '\(path)'")
        }
        volt_epoll_control(epoll, 1, control, Self.readable, Self.controlTag)
    }

    /// Serves until it is told to end.
    func run() {
        var events = [volt_event](repeating: volt_event(), count: 64)
        while !ends {
            let count = volt_epoll_wait(epoll, &events, 64, -1)
            guard count > 0 else { continue }
            for event in events[..<Int(count)] {
                let value = event.data & ~Self.tagMask
                switch event.data & Self.tagMask {
                case Self.controlTag: acceptAsker()
                case Self.askTag: answer(Int32(truncatingIfNeeded: value))
                case Self.listenTag: acceptClients(Int32(truncatingIfNeeded: value))
                default: advance(value)
                }
            }
        }
    }

    // MARK: Connections

    private func acceptClients(_ listener: Int32) {
        guard let target = targets[listener] else { return }
        // A bound on one turn; epoll tells again what is left.
        for _ in 0..<64 {
            let client = volt_accept(listener)
            guard client >= 0 else {
                // Out of descriptors: without a pause this would be a busy loop.
                if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM { pause() }
                return
            }
            let port = target.published.containerPort
            guard let (inner, pending) = connect(port, ipv6: false, target.namespace) else {
                close(client)
                continue
            }
            let relay = Relay(
                client: client, inner: inner, isConnecting: pending, port: port, namespace: target.namespace)
            if inner < 0, !connectIPv6(relay) { continue }
            let id = nextRelay
            nextRelay += 1
            relays[id] = relay
            volt_epoll_control(epoll, 1, client, Self.relayEvents, Self.relayTag | id)
            volt_epoll_control(epoll, 1, relay.inner, Self.relayEvents, Self.relayTag | id)
        }
    }

    /// Connects to the loopback of a namespace; -1 when nothing listens there, nil when it cannot be entered.
    private func connect(_ port: UInt16, ipv6: Bool, _ namespace: Namespace) -> (Int32, Bool)? {
        guard volt_setns(namespace.descriptor) == 0 else { return nil }
        var pending: Int32 = 0
        let inner = volt_connect_loopback(port, ipv6 ? 1 : 0, &pending)
        guard volt_setns(ownNamespace) == 0 else {
            // In the wrong namespace nothing here is right any more; the next command starts this anew.
            exit(1)
        }
        return (inner, pending != 0)
    }

    private func connectIPv6(_ relay: Relay) -> Bool {
        guard !relay.triedIPv6 else { return false }
        relay.triedIPv6 = true
        guard let (inner, pending) = connect(relay.port, ipv6: true, relay.namespace), inner >= 0 else {
            return false
        }
        if relay.inner >= 0 { close(relay.inner) }
        relay.inner = inner
        relay.isConnecting = pending
        return true
    }

    private func advance(_ id: UInt64) {
        guard let relay = relays[id] else { return }
        if relay.isConnecting {
            var check = pollfd(fd: relay.inner, events: Int16(POLLOUT), revents: 0)
            guard poll(&check, 1, 0) == 1 else { return }
            relay.isConnecting = false
            if volt_socket_error(relay.inner) != 0 {
                guard connectIPv6(relay) else { return drop(id) }
                volt_epoll_control(epoll, 1, relay.inner, Self.relayEvents, Self.relayTag | id)
                if relay.isConnecting { return }
            }
        }
        guard relay.move(buffer: buffer) else { return drop(id) }
        // A turn moves a bounded amount: edges do not come again for what is left, so the relay asks itself.
        volt_epoll_control(epoll, 3, relay.client, Self.relayEvents, Self.relayTag | id)
        volt_epoll_control(epoll, 3, relay.inner, Self.relayEvents, Self.relayTag | id)
    }

    private func drop(_ id: UInt64) {
        relays[id] = nil
        if isPaused { resume() }
    }

    private func pause() {
        isPaused = true
        for listener in targets.keys {
            volt_epoll_control(epoll, 3, listener, 0, Self.listenTag | UInt64(listener))
        }
    }

    private func resume() {
        isPaused = false
        for listener in targets.keys {
            volt_epoll_control(epoll, 3, listener, Self.readable, Self.listenTag | UInt64(listener))
        }
    }

    // MARK: Commands

    private func acceptAsker() {
        let asker = volt_accept(control)
        guard asker >= 0 else { return }
        asking.insert(asker)
        volt_epoll_control(epoll, 1, asker, Self.readable, Self.askTag | UInt64(asker))
    }

    private func answer(_ asker: Int32) {
        guard asking.contains(asker) else { return }
        var message = [UInt8](repeating: 0, count: ControlSocket.limit)
        let count = recv(asker, &message, message.count, 0)
        if count > 0 {
            var reply = "ok"
            do throws(VoltError) {
                reply = try obey(try PortRequest(decoding: Array(message[..<count])))
            } catch {
                reply = "error \(error.code.rawValue) \(error.message)"
            }
            send(asker, reply, reply.utf8.count, Int32(MSG_NOSIGNAL))
        }
        asking.remove(asker)
        close(asker)
    }

    private func obey(_ request: PortRequest) throws(VoltError) -> String {
        switch request {
        case .set(let owner, let namespace):
            try set(owner.ports, namespace: namespace)
            return "ok"
        case .status: return "ok \(relays.count)"
        case .version: return "ok \(PortRequest.newest)"
        case .busy(let namespace):
            // Connections in use that lead into a namespace which new ones do not go to.
            let descriptor = volt_open(namespace, O_RDONLY, 0)
            guard descriptor >= 0 else { return "ok 0" }
            let inode = Namespace(descriptor: descriptor).inode
            guard !targets.values.contains(where: { $0.namespace.inode == inode }) else { return "ok 0" }
            return "ok \(relays.values.count { $0.namespace.inode == inode && $0.isBusy })"
        case .quit:
            // Before the answer: who has it may publish the same port at once.
            listeners.values.joined().forEach { close($0) }
            (listeners, targets, ends) = ([:], [:], true)
            return "ok"
        }
    }

    /// Listens on exactly these ports and points them all to a namespace; nothing changes when one is taken.
    private func set(_ ports: [PublishedPort], namespace path: String) throws(VoltError) {
        let descriptor = volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        let namespace = Namespace(descriptor: descriptor)
        // A port keeps its sockets when only the port in the container changes.
        var reused: [PublishedPort: [Int32]] = [:]
        var opened: [PublishedPort: [Int32]] = [:]
        do throws(VoltError) {
            for port in ports {
                let known = listeners.first {
                    $0.key.address == port.address && $0.key.hostPort == port.hostPort
                }
                if let known { reused[port] = known.value } else { opened[port] = try listen(port) }
            }
        } catch {
            opened.values.joined().forEach { close($0) }
            throw error
        }
        let kept = Set(reused.values.joined())
        for listener in listeners.values.joined() where !kept.contains(listener) {
            targets[listener] = nil
            close(listener)
        }
        listeners = reused.merging(opened) { $1 }
        for (port, sockets) in listeners {
            for listener in sockets {
                let isNew = targets[listener] == nil
                targets[listener] = Target(published: port, namespace: namespace)
                if isNew {
                    volt_epoll_control(epoll, 1, listener, Self.readable, Self.listenTag | UInt64(listener))
                }
            }
        }
    }

    /// `0.0.0.0` means every address: a machine without IPv6 listens on IPv4 alone.
    private func listen(_ port: PublishedPort) throws(VoltError) -> [Int32] {
        let isIPv6 = port.address.contains(":")
        let first = volt_listen(port.address, port.hostPort, isIPv6 ? 1 : 0)
        guard first >= 0 else {
            let error = SystemError.current
            guard error.number == EADDRINUSE else {
                throw error.during("cannot publish port \(port.hostPort) on '\(port.address)'")
            }
            throw VoltError(.conflict, "port \(port.hostPort) on '\(port.address)' is taken")
        }
        guard port.address == "0.0.0.0" else { return [first] }
        let second = volt_listen("::", port.hostPort, 1)
        if second < 0, errno == EADDRINUSE {
            close(first)
            throw VoltError(.conflict, "port \(port.hostPort) on '::' is taken")
        }
        return second >= 0 ? [first, second] : [first]
    }
}
