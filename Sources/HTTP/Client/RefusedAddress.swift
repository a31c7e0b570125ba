import Foundation

/// An address that no call of the engine may reach, because a service that leads there is a mistake or an attack.
///
/// It is link-local, it belongs to the metadata of a cloud, or it names no single machine. Private and loopback addresses
/// are not refused: the operator's own services have them.
public struct RefusedAddress: Sendable, Hashable {
  /// The address in figures.
  public let text: String
  /// The kind of the address, as the end of a sentence: "a link-local address".
  public let kind: String

  /// Returns the refused address that `host` writes in figures; nil for a name, and for an address that may be called.
  /// - Parameter host: as in a URL, an IPv6 address in brackets or without.
  public static func of(host: some StringProtocol) -> RefusedAddress? {
    var host = host.lowercased()
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    // The interface of a link-local address: fe80::1%25eth0
    let figures = String(host.prefix { $0 != "%" })
    var four = in_addr()
    if inet_pton(AF_INET, figures, &four) == 1 { return of(withUnsafeBytes(of: four) { Array($0) }) }
    var six = in6_addr()
    if inet_pton(AF_INET6, figures, &six) == 1 { return of(withUnsafeBytes(of: six) { Array($0) }) }
    return nil
  }

  /// - Parameters:
  ///   - family: the family of the socket.
  ///   - address: the address of the socket, a `sockaddr` with its continuation.
  static func of(family: Int32, _ address: UnsafeRawBufferPointer) -> RefusedAddress? {
    // Where `sockaddr_in` and `sockaddr_in6` have the address, behind family and port, and the label of a flow.
    switch family {
    case AF_INET where address.count >= 8: of(Array(address[4..<8]))
    case AF_INET6 where address.count >= 24: of(Array(address[8..<24]))
    default: RefusedAddress(text: "a socket", kind: "which is not an address of IPv4 or IPv6")
    }
  }

  /// - Parameter bytes: 4 bytes of IPv4 or 16 of IPv6, in the order of the network.
  package static func of(_ bytes: [UInt8]) -> RefusedAddress? {
    guard let kind = bytes.count == 4 ? kindOfFour(bytes) : kindOfSix(bytes) else { return nil }
    return RefusedAddress(text: text(of: bytes), kind: kind)
  }

  private static let linkLocal = "a link-local address"
  private static let metadata = "an address of a cloud's metadata"
  private static let unspecified = "an unspecified address"
  private static let multicast = "a multicast address"

  /// RFC 6890 lists the special addresses of IPv4.
  private static func kindOfFour(_ bytes: [UInt8]) -> String? {
    switch (bytes[0], bytes[1], bytes[2], bytes[3]) {
    // AWS, Azure, Google and others; Alibaba; Oracle's older one.
    case (169, 254, 169, 254), (100, 100, 100, 200), (192, 0, 0, 192): metadata
    case (169, 254, _, _): linkLocal
    case (0, _, _, _): unspecified
    case (224...239, _, _, _): multicast
    case (255, 255, 255, 255): "the broadcast address"
    default: nil
    }
  }

  /// RFC 4291 lists the special addresses of IPv6.
  private static func kindOfSix(_ bytes: [UInt8]) -> String? {
    if bytes.allSatisfy({ $0 == 0 }) { return unspecified }
    if bytes[0] == 0xFF { return multicast }
    if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 { return linkLocal }
    // fd00:ec2::254 of AWS and fd20:ce::254 of Google.
    let end: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]
    let beginnings: [[UInt8]] = [[0xFD, 0x00, 0x0E, 0xC2], [0xFD, 0x20, 0x00, 0xCE]]
    if beginnings.contains(where: { bytes == $0 + end }) { return metadata }
    return fourWithin(bytes).flatMap(kindOfFour)
  }

  /// Returns the address of IPv4 that one of IPv6 leads to: mapped (RFC 4291 §2.5.5), NAT64 (RFC 6052) or 6to4
  /// (RFC 3056).
  private static func fourWithin(_ bytes: [UInt8]) -> [UInt8]? {
    let zeros = [UInt8](repeating: 0, count: 10)
    let isMapped = bytes.starts(with: zeros + [0xFF, 0xFF])
    let isCompatible = bytes.starts(with: zeros + [0, 0]) && bytes[12...14] != [0, 0, 0]
    let isNAT64 = bytes.starts(with: [0x00, 0x64, 0xFF, 0x9B] + zeros.prefix(8))
    if isMapped || isCompatible || isNAT64 { return Array(bytes[12...]) }
    return bytes.starts(with: [0x20, 0x02]) ? Array(bytes[2...5]) : nil
  }

  private static func text(of bytes: [UInt8]) -> String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    _ = bytes.withUnsafeBytes { inet_ntop(family, $0.baseAddress, &text, socklen_t(text.count)) }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
