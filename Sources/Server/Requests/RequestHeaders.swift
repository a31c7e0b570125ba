import HTTP
import Runtime

extension HTTPServerRequest {
  /// Returns the person that the request names; nil without the header. `Call.user` decides whether that counts.
  func namedUser() throws(Problem) -> String? {
    let name = "Saga-User"
    guard let value = try single(name) else { return nil }
    let scalars = value.unicodeScalars
    guard (1...200).contains(scalars.count), scalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw Self.invalid(name, "must have 1 to 200 characters, and not only blanks")
    }
    if let scalar = PersonName.invisible(in: value) {
      throw Self.invalid(name, "has a character that can't be seen: \(PersonName.codePoint(scalar))")
    }
    return value
  }

  /// Returns the way that a request came, for the audit: the program that sent it, and its address.
  func origin() throws(Problem) -> String {
    let name = "Saga-Client"
    guard let client = try single(name) else { return "rest \(remoteAddress)" }
    let isPlain = client.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-")
    }
    guard (1...40).contains(client.utf8.count), isPlain else {
      throw Self.invalid(name, "must have 1 to 40 characters: lower-case characters, digits and hyphens")
    }
    return "\(client) \(remoteAddress)"
  }

  /// Returns the caller's idempotency key, by which a repeat is recognised.
  func idempotencyKey() throws(Problem) -> String? {
    let name = "Idempotency-Key"
    guard let value = try single(name) else { return nil }
    guard (1...255).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Self.invalid(name, "must have 1 to 255 visible ASCII characters, no spaces")
    }
    return value
  }

  private func single(_ name: String) throws(Problem) -> String? {
    let values = headers.all(name)
    guard values.count <= 1 else { throw Self.invalid(name, "comes \(values.count) times") }
    return values.first
  }

  private static func invalid(_ name: String, _ what: String) -> Problem {
    Problem(Fault(ServerErrorCode.headerInvalid, "The header \(name) \(what).", header: name))
  }
}
