import CCrypto

/// A library that the program does not contain, but loads when it starts.
public struct LinkedLibrary: Sendable, Hashable {
  /// The name of its package for pkg-config, as `Package.swift` has it.
  public let name: String
  /// The version of the headers that the program was compiled with.
  public let compiled: String
  /// The version that is loaded now.
  public let loaded: String
  /// The licence, as an SPDX expression.
  public let licence: String
  public let website: String

  public init(name: String, compiled: String, loaded: String, licence: String, website: String) {
    self.name = name
    self.compiled = compiled
    self.loaded = loaded
    self.licence = licence
    self.website = website
  }

  /// OpenSSL: digests, signatures and ciphers.
  public static var crypto: LinkedLibrary {
    LinkedLibrary(
      name: "libcrypto", compiled: OPENSSL_VERSION_STR,
      loaded: OpenSSL_version(OPENSSL_VERSION_STRING).map { String(cString: $0) } ?? "unknown", licence: "Apache-2.0",
      website: "https://www.openssl.org")
  }

  /// Returns the text of a version that a header has as a number.
  /// - Parameter bytes: the bytes of the number, from the first part of the version on.
  public static func version(_ bytes: [UInt32]) -> String {
    bytes.map { String($0) }.joined(separator: ".")
  }
}
