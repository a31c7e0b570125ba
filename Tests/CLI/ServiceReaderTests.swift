import Foundation
import HTTP
import HTTPSteps
import JSON
import TestSupport
import Testing

@testable import saga

@Suite("The file of services", .timeLimit(.minutes(15)), .inTurn)
struct ServiceReaderTests {
  private static let variables = ["LIMS_KEY": "planted-secret", "EMPTY": ""]

  private func read(_ service: JSON) throws -> ServiceEntry {
    try #require(try ServiceList.entries(["lims": service], file: "s.json", variables: Self.variables).first)
  }

  @Test("A service has headers, a token, limits and TLS")
  func whole() throws {
    let folder = try TestFolder.new("services")
    func file(_ name: String, _ text: String) throws -> String {
      let file = folder.appendingPathComponent(name)
      try Data(text.utf8).write(to: file)
      return file.path
    }
    let certificate = try file("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    let key = try file("key.pem", "-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----\n")
    let secret = try file("secret", "hidden\n")
    let entry = try read([
      "url": "https://lims.example/", "tombstones": true, "maxInFlight": 8, "timeout": "20s",
      "headers": ["X-Api-Key": "env:LIMS_KEY", "X-Site": ["value": "north"], "X-File": .string("file:\(secret)")],
      "oauth2": [
        "tokenUrl": "https://login.example/token?tenant=1", "clientId": "saga", "clientSecret": "env:LIMS_KEY",
        "scope": "write", "audience": "lims", "sendSecretIn": "post", "ca": .string(certificate),
      ],
      "ca": .string(certificate), "clientCertificate": .string(certificate), "clientKey": .string(key),
    ])
    let planted = SecretSource.variable(name: "LIMS_KEY", value: Secret("planted-secret"))
    #expect(entry.url == "https://lims.example" && entry.tombstones && entry.maxInFlight == 8)
    #expect(
      Set(entry.access.fields) == [
        .init(name: "X-Api-Key", value: planted), .init(name: "X-Site", value: .plain("north")),
        .init(name: "X-File", value: .file(path: secret)),
      ])
    #expect(
      entry.access.clientCredentials
        == ClientCredentials(
          tokenURL: "https://login.example/token?tenant=1", clientID: "saga", clientSecret: planted, scope: "write",
          audience: "lims", place: .post, tls: HTTPClientTLS(certificateAuthorities: certificate)))
    #expect(entry.access.timeout == .seconds(20))
    #expect(
      entry.access.tls
        == HTTPClientTLS(certificateAuthorities: certificate, certificate: certificate, key: key))
    #expect(!"\(entry)".contains("planted"))
    #expect(!ServiceList.text(of: [entry]).contains("planted"))
  }

  @Test(
    "A mistake is refused with its place, and without the text that may be a secret",
    arguments: [
      (#"{"headers": {"X-Api-Key": "planted-secret"}}"#, "env:NAME"),
      (#"{"headers": {"X-Api-Key": "env:NONE"}}"#, "NONE, which is not set"),
      (#"{"headers": {"X-Api-Key": "env:EMPTY"}}"#, "EMPTY is empty"),
      (#"{"headers": {"X-Api-Key": "file:/none/such"}}"#, "/none/such"),
      (#"{"headers": {"X-Api-Key": "file:/dev/null"}}"#, "not a file"),
      (#"{"headers": {"X-Api-Key": {"value": "a\r\nHost: b"}}}"#, "control character"),
      (#"{"headers": {"X Api": "env:LIMS_KEY"}}"#, "not a header's name"),
      (#"{"headers": {"Idempotency-Key": "env:LIMS_KEY"}}"#, "engine itself"),
      (#"{"headers": {"X-A": "env:LIMS_KEY", "x-a": "env:LIMS_KEY"}}"#, "twice"), (#"{"headers": []}"#, "object"),
      (#"{"header": {}}"#, "did you mean \"headers\"?"), (#"{"maxInFlight": 0}"#, "from 1 to 10000"),
      (#"{"timeout": "soon"}"#, "30s"), (#"{"timeout": 30}"#, "a text"), (#"{"ca": "/none/such"}"#, "can't read"),
      (#"{"ca": "/etc/passwd"}"#, "no CERTIFICATE in PEM"), (#"{"clientKey": "/none/such"}"#, "can't read"),
      (#"{"oauth2": true}"#, "tokenUrl"), (#"{"oauth2": {"clientId": "a"}}"#, "tokenUrl"),
      (#"{"oauth2": {"tokenUrl": "http://169.254.169.254/", "clientId": "a"}}"#, "metadata"),
      (#"{"oauth2": {"tokenUrl": "http://h/", "clientId": "a", "clientSecret": "planted-secret"}}"#, "env:NAME"),
      (#"{"oauth2": {"tokenUrl": "http://h/", "clientId": "a", "clientSecret": {"value": "planted"}}}"#, "is a secret"),
      (#"{"oauth2": {"tokenUrl": "http://h/", "clientId": "a", "sendSecretIn": "url"}}"#, "basic"),
      (#"{"oauth2": {"tokenUrl": "http://h/", "clientId": "a", "secret": 1}}"#, "\"secret\" is not known"),
      (
        #"{"headers": {"authorization": "env:LIMS_KEY"}, "oauth2": {"tokenUrl": "http://h/", "clientId": "a", "#
          + #""clientSecret": "env:LIMS_KEY"}}"#, "oauth2"
      ),
    ])
  func mistakes(text: String, reason: String) throws {
    var service = try #require(try JSON(parsing: text).objectValue)
    service["url"] = "https://lims.example"
    let error = try #require(throws: CLIError.self) { _ = try read(.object(service)) }
    #expect(error.message.contains(reason) && error.message.contains("lims"), "\(error.message)")
    #expect(!error.message.contains("planted"))
  }

  @Test("TLS files want https, and a certificate and its key belong together")
  func secure() throws {
    let file = try TestFolder.new("services").appendingPathComponent("ca.pem")
    try Data("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n".utf8).write(to: file)
    let path = JSON.string(file.path)
    #expect(throws: CLIError.self) { try read(["url": "http://h", "ca": path]) }
    #expect(throws: CLIError.self) { try read(["url": "https://h", "clientCertificate": path]) }
    #expect(try read(["url": "https://h", "ca": path]).access.tls.certificateAuthorities == file.path)
    try Data("-----BEGIN ENCRYPTED PRIVATE KEY-----\nx".utf8).write(to: file)
    #expect(throws: CLIError.self) { try read(["url": "https://h", "clientCertificate": path, "clientKey": path]) }
  }

  @Test(
    "No service may be at a link-local, metadata, unspecified or multicast address",
    arguments: [
      "http://169.254.169.254/latest", "https://169.254.1.1", "http://[fe80::1%25eth0]:1", "http://[fd00:ec2::254]/",
      "http://0.0.0.0:80", "http://[::]", "http://224.0.0.1", "http://[::ffff:169.254.169.254]",
    ])
  func refusedAddress(url: String) throws {
    #expect(ServiceList.entry("a=\(url)") == nil)
    let error = try #require(throws: CLIError.self) { _ = try read(.string(url)) }
    #expect(error.message.contains("where no service may be"))
  }
}
