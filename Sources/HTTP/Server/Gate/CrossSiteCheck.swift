import Values

/// Refuses a request that a browser sends for a page of another origin.
///
/// Browsers say where a request comes from, in headers that a page cannot set. Programs that are not browsers send
/// neither header, and pass. A person who follows a link from another page passes too: that changes nothing, and the other
/// page does not get the answer.
enum CrossSiteCheck {
  /// - Parameter isEncrypted: whether the server itself speaks TLS: then a page that came without TLS is of another
  ///   origin.
  static func check(
    _ method: String, _ headers: HTTPHeaders, target: RequestTarget, isEncrypted: Bool
  ) throws(Problem) {
    let origins = headers.all("Origin")
    let sites = headers.all("Sec-Fetch-Site")
    if !sites.isEmpty {
      // “none”: a person typed the address, or the like.
      if sites.allSatisfy({ $0 == "same-origin" || $0 == "none" }) { return }
      let isLink = origins.isEmpty && headers.all("Sec-Fetch-Mode").allSatisfy { $0 == "navigate" }
      guard isLink, HTTPMethod.safe.contains(method) else { throw refusal }
      return
    }
    guard !origins.isEmpty else { return }
    let host = target.authority ?? headers["Host"].flatMap { Authority($0) }
    for text in origins {
      guard let origin = Origin(text), let host, origin.authority.host == host.host,
        origin.isSecure || !isEncrypted, origin.port == host.port ?? origin.usualPort
      else { throw refusal }
    }
  }

  private static var refusal: Problem {
    Problem(
      403, HTTPErrorCode.crossSite,
      detail: "A web page of another origin sent this request. Only this server's own pages may call it.")
  }

  /// An origin as browsers write it: scheme, host and port.
  private struct Origin {
    let authority: Authority
    let isSecure: Bool
    var usualPort: Int { isSecure ? 443 : 80 }
    var port: Int { authority.port ?? usualPort }

    init?(_ text: String) {
      let schemes = [("http://", false), ("https://", true)]
      guard let (scheme, isSecure) = schemes.first(where: { text.hasPrefix($0.0) }),
        let authority = Authority(String(text.dropFirst(scheme.count))), !authority.host.isEmpty
      else { return nil }
      self.authority = authority
      self.isSecure = isSecure
    }
  }
}
