import Foundation

/// The registry's address. The user and the password are removed from the URL, so that no message can show them.
struct RegistryAddress: Sendable {
  /// Without a slash at the end.
  let base: String
  /// The value of the header `Authorization`; nil without a user.
  let authorization: String?

  /// - Parameter url: `http` or `https`, with a path if need be, and with `user:password@` for basic authentication;
  ///   special characters in them are percent-encoded.
  init(_ url: String) throws(RegistryError) {
    guard var parts = URLComponents(string: url, encodingInvalidCharacters: false) else {
      throw Self.invalid("It is not a URL. Percent-encode special characters in the user and the password.")
    }
    guard let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme) else {
      throw Self.invalid("It must begin with http:// or https://.")
    }
    guard parts.query == nil, parts.fragment == nil else { throw Self.invalid("It has a query or a fragment.") }
    guard parts.port.map({ (1...65_535).contains($0) }) ?? true else {
      throw Self.invalid("Its port is not a number from 1 to 65535.")
    }
    authorization = try Self.authorization(parts)
    parts.user = nil
    parts.password = nil
    guard let host = parts.host, !host.isEmpty, var base = parts.string, !base.contains("@") else {
      throw Self.invalid("It names no host. Percent-encode special characters in the user and the password.")
    }
    while base.hasSuffix("/") { base.removeLast() }
    self.base = base
  }

  private static func authorization(_ parts: URLComponents) throws(RegistryError) -> String? {
    guard let user = parts.user else { return nil }
    guard !user.contains(":") else {
      throw invalid("The user's name contains a colon; basic authentication forbids it.")
    }
    return "Basic " + Data("\(user):\(parts.password ?? "")".utf8).base64EncodedString()
  }

  private static func invalid(_ why: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryInvalid, message: "The schema registry's URL can't be used. \(why)")
  }
}
