import Foundation
import Values

/// Opens the socket that a server listens on, so that what goes wrong can be said by name.
enum ListeningSocket {
  static func open(host: String, port: Int) throws(HTTPServerError) -> (descriptor: Int32, port: Int) {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_family = AF_UNSPEC
    #if os(Linux)
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    #else
      hints.ai_socktype = SOCK_STREAM
    #endif
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &found)
    guard status == 0, let address = found else {
      throw HTTPServerError(
        HTTPErrorCode.cannotListen, "Can't listen on \(host):\(port): \(String(cString: gai_strerror(status))).")
    }
    defer { freeaddrinfo(found) }
    let info = address.pointee
    let descriptor = socket(info.ai_family, info.ai_socktype, info.ai_protocol)
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard descriptor >= 0, setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size) == 0,
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0,
      bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, SOMAXCONN) == 0,
      let bound = portOf(descriptor)
    else {
      let problem = errno
      if descriptor >= 0 { close(descriptor) }
      throw HTTPServerError(
        problem == EADDRINUSE ? HTTPErrorCode.addressInUse : HTTPErrorCode.cannotListen,
        "Can't listen on \(host):\(port): \(String(cString: strerror(problem))).")
    }
    return (descriptor, bound)
  }

  private static func portOf(_ descriptor: Int32) -> Int? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage -> Int? in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int? in
        guard getsockname(descriptor, address, &length) == 0 else { return nil }
        var service = [CChar](repeating: 0, count: 8)
        guard getnameinfo(address, length, nil, 0, &service, 8, NI_NUMERICSERV) == 0 else { return nil }
        return Int(String(decoding: service.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
      }
    }
  }

  /// This machine's address on a connection, in figures. An IPv4 address is one also when it was connected to through
  /// a socket of IPv6.
  static func localHost(of descriptor: Int32) -> String {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let host = withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getsockname(descriptor, address, &length) == 0 ? Self.host(of: address) : ""
      }
    }
    return host.hasPrefix("::ffff:") ? String(host.dropFirst(7)) : host
  }

  /// Allows the process more descriptors, when it may: a connection takes up to three.
  static func raiseFileLimit(to wanted: Int) {
    #if os(Linux)
      let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
      let files = RLIMIT_NOFILE
    #endif
    var limit = rlimit()
    guard getrlimit(files, &limit) == 0, limit.rlim_cur < rlim_t(wanted) else { return }
    limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
    // Refused: then as many connections wait as have no descriptors.
    _ = setrlimit(files, &limit)
  }

  /// Whether every address of the host is this machine's own loopback.
  static func isLoopback(_ host: String) -> Bool {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE
    hints.ai_family = AF_UNSPEC
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &found) == 0 else { return false }
    defer { freeaddrinfo(found) }
    var next = found
    while let one = next {
      guard HostPolicy.isLoopback(Authority.canonical(Self.host(of: one.pointee.ai_addr)) ?? "") else { return false }
      next = one.pointee.ai_next
    }
    return found != nil
  }

  /// The address in figures, without its port.
  static func host(of peer: UnsafePointer<sockaddr>?) -> String {
    guard let peer else { return "" }
    let length =
      Int32(peer.pointee.sa_family) == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    var host = [CChar](repeating: 0, count: 64)
    guard getnameinfo(peer, socklen_t(length), &host, 64, nil, 0, NI_NUMERICHOST) == 0 else { return "" }
    return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
