import Foundation
import HTTP

/// A configured `http` or `https` address. The process reports its errors at the start, not at each call.
enum WebAddress {
  /// Returns the mistake in the address, as the end of a sentence about it; nil when the address can be called.
  /// - Parameter mayHaveQuery: whether a `?…` belongs to it. If not, a step's path is appended to it.
  static func mistake(in address: String, mayHaveQuery: Bool = false) -> String? {
    guard let scheme = ["http://", "https://"].first(where: { address.lowercased().hasPrefix($0) }) else {
      return "does not begin with http:// or https://"
    }
    if address.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.value < 0x20 || $0.value == 0x7F }) {
      return "holds a blank or a control character, which must be percent-encoded"
    }
    if !address.utf8.allSatisfy({ $0 < 0x80 }) {
      return "holds characters that are not ASCII: percent-encode them in a path, and write a host in Punycode (xn--…)"
    }
    let rest = address.dropFirst(scheme.count)
    let authority = rest.prefix { !"/?#\\".contains($0) }
    if authority.contains("@") {
      return "holds a user or a password, which everyone who may list the machine's processes would see"
    }
    if let mistake = mistakeInAuthority(authority) { return mistake }
    let target = rest[authority.endIndex...]
    if target.contains("#") { return "holds a # and a fragment, which is never sent" }
    if target.contains("?"), !mayHaveQuery {
      return "holds a ? and a query: a step writes its parameters into \"query\""
    }
    return mistakeInTarget(target)
  }

  /// Returns why a service can't be at the address, as the end of a sentence about it; nil for a name, and for an address
  /// that may be called. The client checks again to which address a name leads.
  static func refusal(of address: String) -> String? {
    guard let slashes = address.firstRange(of: "://") else { return nil }
    let authority = address[slashes.upperBound...].prefix { !"/?#".contains($0) }
    let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" }.dropFirst() : authority.prefix { $0 != ":" }
    return RefusedAddress.of(host: host).map { "leads to \($0.text), \($0.kind), where no service may be" }
  }

  private static func mistakeInAuthority(_ authority: Substring) -> String? {
    var host = authority
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return "holds a [ without a ]" }
      host = authority[..<authority.index(after: end)]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { return "goes on behind the ] of its host" }
      if !rest.isEmpty { port = rest.dropFirst() }
    } else if let colon = authority.lastIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
    }
    if let port {
      guard !port.isEmpty, port.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(port),
        (1...65_535).contains(number)
      else { return "has the port \"\(port)\", which is not a number from 1 to 65535" }
    }
    return isHost(host) ? nil : host.isEmpty ? "names no host" : "has the host \"\(host)\", which is not a host's name"
  }

  private static func isHost(_ host: Substring) -> Bool {
    if host.hasPrefix("[") {
      // A link-local address may name its interface: [fe80::1%25eth0]
      let parts = host.dropFirst().dropLast().split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 {
        guard parts[1].hasPrefix("25"), parts[1].count > 2, parts[1].allSatisfy({ $0.isLetter || $0.isNumber })
        else {
          return false
        }
      }
      var address = in6_addr()
      return inet_pton(AF_INET6, String(parts[0]), &address) == 1
    }
    var labels = host.split(separator: ".", omittingEmptySubsequences: false)
    // A name may end with the dot of the root.
    if labels.count > 1, labels.last == "" { labels.removeLast() }
    guard host.utf8.count <= 253, labels.allSatisfy(isLabel) else { return false }
    // A name whose last part is a number is an IPv4 address (WHATWG URL), in four parts.
    guard let last = labels.last, last.utf8.allSatisfy({ (48...57).contains($0) }) else { return true }
    return labels.count == 4
      && labels.allSatisfy { label in
        label.utf8.count <= 3 && UInt8(label) != nil && (label.count == 1 || label.first != "0")
      }
  }

  private static func isLabel(_ label: Substring) -> Bool {
    (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
      && label.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
      }
  }

  private static func mistakeInTarget(_ target: Substring) -> String? {
    let bytes = Array(target.utf8)
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "%"):
        let digits = bytes[(index + 1)...].prefix(2)
        guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value != 0,
          digits.first != UInt8(ascii: "+")
        else { return "holds a % that is not followed by two hexadecimal digits, or by 00" }
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: break
      case let other where "-._~/:@!$&'()*+,;=?".utf8.contains(other): break
      default:
        return "holds the character \(Character(Unicode.Scalar(byte))), which must be percent-encoded"
      }
    }
    let segments = target.prefix { $0 != "?" }.split(separator: "/", omittingEmptySubsequences: false)
    for segment in segments {
      let plain = segment.lowercased().replacing("%2e", with: ".")
      if plain == "." || plain == ".." { return "holds the segment \(segment), which would lead elsewhere" }
    }
    // The first and the last segment are the texts before the first slash and after the last one.
    if segments.dropFirst().dropLast().contains("") { return "holds // in its path" }
    return nil
  }
}
