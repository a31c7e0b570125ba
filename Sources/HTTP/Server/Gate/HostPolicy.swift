import Foundation
import Values

/// The names under which a server may be asked.
///
/// A web page can give its own name the address of this machine (DNS rebinding). The browser then sends the page's
/// requests here, and takes the answers for the page's own. Such requests carry the page's name in `Host`, so a server
/// answers only to names that it was given.
public struct HostPolicy: Sendable, Hashable {
  /// The address to listen on, as it was given.
  private let bound: String?
  private let allowed: Set<String>

  /// - Parameters:
  ///   - bound: the address or name to listen on.
  ///   - allowed: further names and addresses, lower case, without a port.
  public init(bound: String, allowed: Set<String> = []) {
    self.bound = Authority.canonical(bound)
    self.allowed = allowed
  }

  /// The name in canonical form, or nil for what is not a host's name or address.
  public static func name(_ text: String) -> String? {
    guard let authority = Authority(text), authority.port == nil else { return nil }
    return authority.host
  }

  /// Checks `Host`, and the host of an absolute target.
  /// - Parameter local: this machine's address on the connection.
  func check(
    _ headers: HTTPHeaders, target: RequestTarget, minorVersion: Int, local: String
  ) throws(Problem) {
    let hosts = headers.all("Host")
    guard hosts.count <= 1 else {
      throw RequestHeadParser.malformed("The request has more than one Host header.")
    }
    guard !hosts.isEmpty || minorVersion == 0 else {
      throw RequestHeadParser.malformed("The request needs a Host header.")
    }
    var names: [String] = []
    if let host = hosts.first {
      guard let authority = Authority(host) else {
        throw RequestHeadParser.malformed("The Host header is not a host with an optional port.")
      }
      names.append(authority.host)
    }
    if let authority = target.authority { names.append(authority.host) }
    for name in names where !allows(name, local: local) {
      throw Problem(
        421, HTTPErrorCode.hostNotAllowed,
        detail: name.isEmpty
          ? "The request names no host in its Host header."
          : "This server does not answer to the host \(name). If it should, start it with --allowed-hosts \(name).")
    }
  }

  private func allows(_ name: String, local: String) -> Bool {
    if name == "localhost" || name == bound || allowed.contains(name) || Self.isLoopback(name) { return true }
    // Listening on every address is listening on the one that was connected to.
    return (bound == "0.0.0.0" || bound == "[::]") && name == Authority.canonical(local)
  }

  /// Whether the text is a loopback address: 127.0.0.0/8 or ::1.
  static func isLoopback(_ address: String) -> Bool {
    if address == "[::1]" { return true }
    let parts = address.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && Authority.isIPv4(address)
  }
}

/// A host with an optional port, as in `Host` and in an absolute target (RFC 3986 §3.2), in canonical form.
struct Authority: Sendable, Hashable {
  /// Lower case, without a dot at its end; an IPv6 address in brackets, in its shortest form.
  let host: String
  let port: Int?

  /// - Returns: nil for a user name, a zone, a port that is none, and a character that a host's name cannot have.
  init?(_ text: String) {
    let bytes = Array(text.utf8)
    let hostEnd: Int
    if bytes.first == UInt8(ascii: "[") {
      guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      hostEnd = bracket + 1
    } else {
      hostEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
    }
    guard let host = Self.canonical(String(decoding: bytes[..<hostEnd], as: UTF8.self)) else { return nil }
    let rest = bytes[hostEnd...]
    if rest.isEmpty {
      port = nil
    } else {
      let digits = rest.dropFirst()
      guard rest.first == UInt8(ascii: ":"), digits.count <= 5, digits.allSatisfy({ $0.decimalDigit != nil }) else {
        return nil
      }
      let number = Int(String(decoding: digits, as: UTF8.self))
      guard number.map({ $0 <= 65_535 }) ?? true else { return nil }
      port = number
    }
    self.host = host
  }

  /// - Returns: nil for what is not a host; an empty host is one that names nothing.
  static func canonical(_ text: String) -> String? {
    if text.utf8.contains(UInt8(ascii: ":")) {
      let address = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
      var binary = in6_addr()
      guard inet_pton(AF_INET6, address, &binary) == 1 else { return nil }
      var shortest = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      guard inet_ntop(AF_INET6, &binary, &shortest, socklen_t(INET6_ADDRSTRLEN)) != nil else { return nil }
      return "[\(String(decoding: shortest.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))]"
    }
    var name = text.lowercased()
    guard name.utf8.count <= 254,
      name.utf8.allSatisfy({ byte in
        byte.decimalDigit != nil || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "-")
          || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
      })
    else { return nil }
    if name.hasSuffix(".") { name.removeLast() }
    guard !name.hasSuffix(".") else { return nil }
    return name
  }

  static func isIPv4(_ text: String) -> Bool {
    var binary = in_addr()
    return inet_pton(AF_INET, text, &binary) == 1
  }
}
