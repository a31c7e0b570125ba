import Foundation
import HTTP
import HTTPSteps
import JSON
import Values
import Workflows

/// Reads what the file of services says of one service beside its URL, or of its token server.
struct ServiceReader {
  typealias Mistake = ServiceList.Mistake

  static let members = [
    "url", "tombstones", "headers", "oauth2", "maxInFlight", "timeout", "ca", "clientCertificate", "clientKey",
  ]
  private static let tokenMembers = [
    "tokenUrl", "clientId", "clientSecret", "scope", "audience", "sendSecretIn", "ca", "clientCertificate", "clientKey",
  ]

  private let object: JSONObject
  private let variables: [String: String]

  /// - Parameter known: the names of the members that the object may have.
  init(_ object: JSONObject, known: [String], variables: [String: String]) throws(Mistake) {
    if let unknown = object.keys.first(where: { !known.contains($0) }) {
      let near = NearNames.nearest(to: unknown, among: known, completes: true).map { "; did you mean \"\($0)\"?" }
      throw Mistake("\"\(unknown)\" is not known\(near ?? "; there is \(known.joined(separator: ", "))")")
    }
    self.object = object
    self.variables = variables
  }

  /// - Parameter isSecure: whether the service's URL begins with https://.
  func access(isSecure: Bool) throws(Mistake) -> ServiceAccess {
    let credentials = try clientCredentials()
    return ServiceAccess(
      fields: try fields(hasToken: credentials != nil), clientCredentials: credentials, timeout: try time("timeout"),
      tls: try tls(isSecure: isSecure))
  }

  func number(_ member: String, within range: ClosedRange<Int>) throws(Mistake) -> Int? {
    guard let value = object[member] else { return nil }
    guard let number = value.intValue, range.contains(number) else {
      throw Mistake("\"\(member)\" is a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  // MARK: Headers

  private func fields(hasToken: Bool) throws(Mistake) -> [ServiceAccess.Field] {
    guard let value = object["headers"] else { return [] }
    guard let headers = value.objectValue else { throw Mistake("\"headers\" is an object of headers") }
    var fields: [ServiceAccess.Field] = []
    for (name, value) in headers {
      let lower = name.lowercased()
      guard name.isHTTPToken else { throw Mistake("\"\(name)\" is not a header's name") }
      guard !HTTPAction.ownHeaders.contains(lower) else {
        throw Mistake("the header \(name) is set by the engine itself")
      }
      guard !fields.contains(where: { $0.name.lowercased() == lower }) else {
        throw Mistake("the header \(name) is there twice")
      }
      guard !hasToken || lower != "authorization" else {
        throw Mistake("the header \(name) gets the token of \"oauth2\", so \"headers\" can't set it too")
      }
      fields.append(.init(name: name, value: try secret(value, of: "the header \(name)")))
    }
    return fields
  }

  /// `"env:NAME"`, `"file:PATH"` or `{"value": "plain text"}`. The message never repeats the text: it may be a secret.
  private func secret(_ value: JSON?, of what: String) throws(Mistake) -> SecretSource {
    let source: SecretSource
    if let text = value?.stringValue, text.hasPrefix("env:") {
      let name = String(text.dropFirst(4))
      guard let value = variables[name] else {
        throw Mistake("\(what) wants the environment variable \(name), which is not set")
      }
      source = .variable(name: name, value: Secret(value))
    } else if let text = value?.stringValue, text.hasPrefix("file:") {
      source = .file(path: String(text.dropFirst(5)))
    } else if let plain = value?["value"]?.stringValue, value?.objectValue?.count == 1 {
      source = .plain(plain)
    } else {
      throw Mistake(
        "\(what) is \"env:NAME\" or \"file:PATH\"; only a text that anyone may read may be in the file, as "
          + "{\"value\": \"…\"}")
    }
    do throws(SecretSource.Failure) {
      _ = try source.current()
    } catch {
      throw Mistake("\(what): \(error.message)")
    }
    return source
  }

  // MARK: Tokens

  private func clientCredentials() throws(Mistake) -> ClientCredentials? {
    guard let value = object["oauth2"] else { return nil }
    guard let object = value.objectValue else {
      throw Mistake("\"oauth2\" is an object with \"tokenUrl\", \"clientId\" and \"clientSecret\"")
    }
    do throws(Mistake) {
      return try ServiceReader(object, known: Self.tokenMembers, variables: variables).credentials()
    } catch {
      throw Mistake("\"oauth2\": \(error.text)")
    }
  }

  private func credentials() throws(Mistake) -> ClientCredentials {
    guard let url = try text("tokenUrl"), let id = try text("clientId") else {
      throw Mistake("wants \"tokenUrl\" and \"clientId\"")
    }
    if let mistake = WebAddress.mistake(in: url, mayHaveQuery: true) ?? WebAddress.refusal(of: url) {
      throw Mistake("the tokenUrl \(mistake)")
    }
    let place = try text("sendSecretIn") ?? ClientCredentials.Place.basic.rawValue
    guard let place = ClientCredentials.Place(rawValue: place) else {
      throw Mistake("\"sendSecretIn\" is \"basic\" or \"post\"")
    }
    let secret = try secret(object["clientSecret"], of: "\"clientSecret\"")
    if case .plain = secret { throw Mistake("\"clientSecret\" is a secret: write \"env:NAME\" or \"file:PATH\"") }
    return ClientCredentials(
      tokenURL: url, clientID: id, clientSecret: secret, scope: try text("scope"), audience: try text("audience"),
      place: place, tls: try tls(isSecure: url.lowercased().hasPrefix("https://")))
  }

  // MARK: TLS

  private func tls(isSecure: Bool) throws(Mistake) -> HTTPClientTLS {
    let tls = HTTPClientTLS(
      certificateAuthorities: try pem("ca", of: "CERTIFICATE"),
      certificate: try pem("clientCertificate", of: "CERTIFICATE"), key: try pem("clientKey", of: "PRIVATE KEY"))
    guard isSecure || tls == HTTPClientTLS() else {
      throw Mistake("\"ca\", \"clientCertificate\" and \"clientKey\" want an address that begins with https://")
    }
    guard (tls.certificate == nil) == (tls.key == nil) else {
      throw Mistake("\"clientCertificate\" and \"clientKey\" belong together")
    }
    return tls
  }

  /// Returns the path of a file in PEM.
  /// - Parameter kind: the end of the label that the file must have.
  private func pem(_ member: String, of kind: String) throws(Mistake) -> String? {
    guard let path = try text(member) else { return nil }
    guard let content = FileManager.default.contents(atPath: path) else {
      throw Mistake("\"\(member)\": can't read \(path)")
    }
    let text = String(decoding: content, as: UTF8.self)
    guard text.contains("-----BEGIN "), text.contains("\(kind)-----") else {
      throw Mistake("\"\(member)\": \(path) has no \(kind) in PEM")
    }
    guard !text.contains("ENCRYPTED") else {
      throw Mistake("\"\(member)\": \(path) is encrypted; the engine can't ask for its passphrase")
    }
    return path
  }

  // MARK: Values

  private func text(_ member: String) throws(Mistake) -> String? {
    guard let value = object[member] else { return nil }
    guard let text = value.stringValue, !text.isEmpty else { throw Mistake("\"\(member)\" is a text") }
    return text
  }

  private func time(_ member: String) throws(Mistake) -> Duration? {
    guard let text = try text(member) else { return nil }
    guard let time = DurationText.parse(text), time > .zero else { throw Mistake("\"\(member)\" is a time as 30s") }
    return time
  }
}
