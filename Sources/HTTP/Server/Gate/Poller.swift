import CSystem
import Foundation

/// Waits until descriptors can be read or written: epoll on Linux, poll elsewhere.
struct Poller: ~Copyable {
  struct Interest: Equatable {
    var read: Bool
    var write: Bool
  }

  struct Event {
    let token: UInt64
    let canRead: Bool
    let canWrite: Bool
    /// The other side is gone, or the descriptor has an error.
    let hasEnded: Bool
  }

  #if os(Linux)
    private let descriptor: Int32
    private var room = [epoll_event](repeating: epoll_event(), count: 256)

    init?() {
      descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
      if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    func add(_ file: Int32, token: UInt64, _ interest: Interest) -> Bool {
      control(EPOLL_CTL_ADD, file, token: token, interest)
    }

    func change(_ file: Int32, token: UInt64, _ interest: Interest) {
      _ = control(EPOLL_CTL_MOD, file, token: token, interest)
    }

    /// Must come before the descriptor is closed.
    func remove(_ file: Int32) {
      var event = epoll_event()
      _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, file, &event)
    }

    private func control(_ operation: Int32, _ file: Int32, token: UInt64, _ interest: Interest) -> Bool {
      var event = epoll_event()
      event.events = (interest.read ? EPOLLIN.rawValue : 0) | (interest.write ? EPOLLOUT.rawValue : 0)
      event.data.u64 = token
      return epoll_ctl(descriptor, operation, file, &event) == 0
    }

    /// - Parameter milliseconds: the longest wait; -1 waits for ever.
    mutating func wait(milliseconds: Int32) -> [Event] {
      let count = epoll_wait(descriptor, &room, Int32(room.count), milliseconds)
      guard count > 0 else { return [] }
      return room[..<Int(count)].map { event in
        Event(
          token: event.data.u64, canRead: event.events & EPOLLIN.rawValue != 0,
          canWrite: event.events & EPOLLOUT.rawValue != 0,
          hasEnded: event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0)
      }
    }
  #else
    private var files: [Int32: (token: UInt64, interest: Interest)] = [:]

    init?() {}

    mutating func add(_ file: Int32, token: UInt64, _ interest: Interest) -> Bool {
      files[file] = (token, interest)
      return true
    }

    mutating func change(_ file: Int32, token: UInt64, _ interest: Interest) { files[file] = (token, interest) }

    mutating func remove(_ file: Int32) { files[file] = nil }

    mutating func wait(milliseconds: Int32) -> [Event] {
      var all = files.map { file, entry in
        pollfd(
          fd: file,
          events: Int16((entry.interest.read ? POLLIN : 0) | (entry.interest.write ? POLLOUT : 0)), revents: 0)
      }
      guard poll(&all, nfds_t(all.count), milliseconds) > 0 else { return [] }
      return all.compactMap { one in
        guard one.revents != 0, let token = files[one.fd]?.token else { return nil }
        return Event(
          token: token, canRead: one.revents & Int16(POLLIN) != 0, canWrite: one.revents & Int16(POLLOUT) != 0,
          hasEnded: one.revents & Int16(POLLHUP | POLLERR) != 0)
      }
    }
  #endif
}

/// Calls on sockets that never block.
enum Socket {
  enum Outcome: Equatable {
    case bytes(Int)
    case wouldBlock
    case ended
  }

  static func receive(_ socket: Int32, into room: UnsafeMutableRawBufferPointer) -> Outcome {
    while true {
      let count = recv(socket, room.baseAddress, room.count, 0)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .ended }
      if errno == EINTR { continue }
      return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .ended
    }
  }

  static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Outcome {
    #if os(Linux)
      let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    #else
      let flags = MSG_DONTWAIT
    #endif
    while true {
      let count = Foundation.send(socket, bytes.baseAddress, bytes.count, flags)
      if count >= 0 { return .bytes(count) }
      if errno == EINTR { continue }
      return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .ended
    }
  }

  static func setUp(_ socket: Int32) -> Bool {
    #if !os(Linux)
      var on: Int32 = 1
      setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
    #endif
    return fcntl(socket, F_SETFD, FD_CLOEXEC) == 0 && fcntl(socket, F_SETFL, O_NONBLOCK) == 0
  }

  /// Without it a small answer waits for the client's acknowledgement of the one before.
  static func sendAtOnce(_ socket: Int32) {
    var on: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  static func pair() -> (Int32, Int32)? {
    var ends: [Int32] = [-1, -1]
    #if os(Linux)
      let type = Int32(SOCK_STREAM.rawValue)
    #else
      let type = SOCK_STREAM
    #endif
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { return nil }
    guard setUp(ends[0]), setUp(ends[1]) else {
      close(ends[0])
      close(ends[1])
      return nil
    }
    return (ends[0], ends[1])
  }
}

/// Bytes that wait to be sent.
struct OutBuffer {
  private var bytes: [UInt8] = []
  private var start = 0

  var isEmpty: Bool { start == bytes.count }
  var count: Int { bytes.count - start }

  mutating func append(_ more: ArraySlice<UInt8>) { bytes.append(contentsOf: more) }
  mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }
  mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

  mutating func removeAll() {
    bytes = []
    start = 0
  }

  /// Sends what the socket takes.
  /// - Returns: nil when the other side is gone; else whether anything was sent.
  mutating func flush(to socket: Int32) -> Bool? {
    var moved = false
    while !isEmpty {
      let outcome = bytes.withUnsafeBytes { Socket.send(socket, UnsafeRawBufferPointer(rebasing: $0[start...])) }
      switch outcome {
      case .bytes(let count):
        start += count
        moved = true
      case .wouldBlock: return moved
      case .ended: return nil
      }
    }
    // A large buffer is not kept for the next, small answer.
    if bytes.capacity > 64 << 10 { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
    start = 0
    return moved
  }
}
