import Foundation

/// Where the registry is. User and password are taken out of the URL, so that no message can show them.
struct RegistryAddress: Sendable {
  /// Without a slash at the end.
  let base: String
  /// What goes into the header `Authorization`.
  let authorization: String?

  /// - Parameter url: `http` or `https`, with a path if need be, and with `user:password@` for basic authentication;
  ///   what is special in them is percent-encoded.
  init(_ url: String) throws(RegistryError) {
    guard var parts = URLComponents(string: url, encodingInvalidCharacters: false) else {
      throw Self.invalid("It is no URL; what is special in user and password must be percent-encoded.")
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
      throw Self.invalid("It names no host; what is special in user and password must be percent-encoded.")
    }
    while base.hasSuffix("/") { base.removeLast() }
    self.base = base
  }

  private static func authorization(_ parts: URLComponents) throws(RegistryError) -> String? {
    guard let user = parts.user else { return nil }
    guard !user.contains(":") else { throw invalid("A user with a colon can't be told from its password.") }
    return "Basic " + Data("\(user):\(parts.password ?? "")".utf8).base64EncodedString()
  }

  private static func invalid(_ why: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryInvalid, message: "The schema registry's URL can't be used. \(why)")
  }
}
