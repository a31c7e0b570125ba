import Foundation
import Synchronization

/// A proxy for a TCP service on this machine, that a test leads to another server, cuts, or has fall silent.
public final class TCPProxy: Sendable {
  private enum Mode { case passing, silent, refusing }
  private struct State {
    var target: Int
    var mode = Mode.passing
    /// Connections of an earlier number are ended.
    var generation = 0
    var isOver = false
  }
  private let state: Mutex<State>
  private let listener: Int32
  public let port: Int

  public struct CannotListen: Error {}

  public init(to target: Int) throws {
    state = Mutex(State(target: target))
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = Self.address(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 100) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    guard isListening else { throw CannotListen() }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread { [self] in accept() }.start()
  }

  private static func address(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  /// New connections go to this port; existing connections are cut.
  public func lead(to target: Int) {
    state.withLock { state in
      state.target = target
      state.mode = .passing
      state.generation += 1
    }
  }

  /// Cuts every connection, and takes no new ones.
  public func refuse() {
    state.withLock { state in
      state.mode = .refusing
      state.generation += 1
    }
  }

  /// Keeps connections open and accepts new ones, but forwards nothing.
  public func fallSilent() { state.withLock { $0.mode = .silent } }

  public func pass() { state.withLock { $0.mode = .passing } }

  /// Ends everything.
  public func close() {
    state.withLock { state in
      state.isOver = true
      state.generation += 1
    }
  }

  private func accept() {
    while true {
      var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      let ready = poll(&entry, 1, 50)
      let now = state.withLock { ($0.mode, $0.generation, $0.target, $0.isOver) }
      if now.3 { break }
      guard ready > 0 else { continue }
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      if now.0 == .refusing {
        Glibc.close(client)
        continue
      }
      Thread { [self] in serve(client, generation: now.1, target: now.2) }.start()
    }
    Glibc.close(listener)
  }

  private func serve(_ client: Int32, generation: Int, target: Int) {
    defer { Glibc.close(client) }
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { Glibc.close(server) }
    var address = Self.address(port: target)
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { return }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let (mode, current) = state.withLock { ($0.mode, $0.generation) }
      if current != generation { return }
      let events = mode == .silent ? Int16(0) : Int16(POLLIN)
      var entries = [pollfd(fd: client, events: events, revents: 0), pollfd(fd: server, events: events, revents: 0)]
      _ = poll(&entries, 2, 20)
      // Silent, also about an end.
      if mode == .silent { continue }
      for (from, to) in [(0, 1), (1, 0)] where entries[from].revents != 0 {
        let count = recv(entries[from].fd, &buffer, buffer.count, 0)
        if count <= 0 { return }
        var sent = 0
        while sent < count {
          let more = buffer[sent..<count].withUnsafeBytes {
            send(entries[to].fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
          }
          if more <= 0 { return }
          sent += more
        }
      }
    }
  }
}
