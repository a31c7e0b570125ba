import CCurl
import CMicrohttpd
import CTLS
public import Values

/// The libraries that the client and the server of HTTP use.
public enum HTTPLibraries {
  public static var all: [LinkedLibrary] {
    [
      LinkedLibrary(
        name: "libcurl", compiled: LIBCURL_VERSION, loaded: curl, licence: "curl", website: "https://curl.se"),
      LinkedLibrary(
        name: "libmicrohttpd", compiled: microhttpd(UInt32(MHD_VERSION)),
        loaded: MHD_get_version().map { String(cString: $0) } ?? "unknown", licence: "LGPL-2.1-or-later",
        website: "https://www.gnu.org/software/libmicrohttpd/"),
      // OpenSSL releases its two libraries together, and only libcrypto says which version it is.
      LinkedLibrary(
        name: "libssl", compiled: OPENSSL_VERSION_STR, loaded: LinkedLibrary.crypto.loaded, licence: "Apache-2.0",
        website: "https://www.openssl.org"),
    ]
  }

  /// Returns `7.88.1` of `libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13`.
  private static var curl: String {
    guard let text = curl_version().map({ String(cString: $0) }), let first = text.split(separator: " ").first,
      let version = first.split(separator: "/").last
    else { return "unknown" }
    return String(version)
  }

  /// Returns `0.9.75` for 0x00097500: each byte has two decimal digits.
  private static func microhttpd(_ number: UInt32) -> String {
    let digits = [24, 16, 8].map { (number >> $0) & 0xFF }
    return LinkedLibrary.version(digits.map { $0 / 16 * 10 + $0 % 16 })
  }
}
