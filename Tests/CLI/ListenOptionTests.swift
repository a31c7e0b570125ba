import HTTP
import Runtime
import TestSupport
import Testing
import Values

@testable import saga

@Suite("Options for a server's address and names", .timeLimit(.minutes(15)), .inTurn)
struct ListenOptionTests {
  private func listening(_ words: [String], of command: CommandSpec = serveCommand) throws -> HTTPServerConfiguration {
    let terminal = Terminal(
      write: { _ in }, complain: { _ in }, read: { nil }, isTerminal: false, style: .plain, errorStyle: .plain)
    let invocation = Invocation(
      command: command, arguments: try ParsedArguments(words, for: command), terminal: terminal, environment: .fake(),
      variables: [:],
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") })
    return try invocation.listening(port: 8080)
  }

  @Test("Without options the server listens on the loopback address")
  func usual() throws {
    let configuration = try listening([])
    #expect(configuration.host == "127.0.0.1")
    #expect(configuration.port == 8080)
    #expect(configuration.hosts == HostPolicy(bound: "127.0.0.1"))
  }

  @Test(
    "A loopback address needs no further option", arguments: ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
  func loopback(host: String) throws {
    #expect(try listening(["--host", host]).host == host)
  }

  @Test(
    "An address that other machines reach is refused without the option that allows it",
    arguments: ["0.0.0.0", "::", "192.0.2.7", "no-such-host.invalid"])
  func insecure(host: String) throws {
    for command in [serveCommand, labCommand] {
      let error = #expect(throws: CLIError.self) { try listening(["--host", host], of: command) }
      #expect(error?.code == CLIErrorCode.insecure)
      #expect(try listening(["--host", host, "--insecure"], of: command).host == host)
    }
  }

  @Test("A server that asks its callers for keys may listen anywhere, and the refusal of another says so")
  func keys() throws {
    let terminal = Terminal(
      write: { _ in }, complain: { _ in }, read: { nil }, isTerminal: false, style: .plain, errorStyle: .plain)
    let invocation = Invocation(
      command: serveCommand, arguments: try ParsedArguments(["--host", "0.0.0.0"], for: serveCommand),
      terminal: terminal, environment: .fake(), variables: [:],
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") })
    #expect(try invocation.listening(port: 8080, asksWhoCalls: true).host == "0.0.0.0")
    func advice(_ command: CommandSpec) -> String {
      let error = #expect(throws: CLIError.self) { try listening(["--host", "0.0.0.0"], of: command) }
      return error?.advice.joined() ?? ""
    }
    #expect(advice(serveCommand).contains("--keys FILE") && !advice(labCommand).contains("--keys"))
  }

  @Test("Further names are kept in canonical form")
  func names() throws {
    let configuration = try listening(["--allowed-hosts", "Saga.Lab.Example.,10.0.0.7,[::2]"])
    #expect(
      configuration.hosts == HostPolicy(bound: "127.0.0.1", allowed: ["saga.lab.example", "10.0.0.7", "[::2]"]))
  }

  @Test(
    "An invalid name is refused",
    arguments: ["", "a,,b", "http://a", "a:80", "*", "a b", "müller.example", "me@a", "a/"])
  func noNames(text: String) {
    #expect(throws: UsageError.self) { try listening(["--allowed-hosts", text]) }
  }

  @Test("A certificate wants its key, and a key its certificate", arguments: ["--tls-cert", "--tls-key"])
  func halfCertificate(option: String) {
    let error = #expect(throws: UsageError.self) { try Self.invocation([option, "/none.pem"]).certificate() }
    #expect(error?.message.contains("--tls-cert") == true && error?.message.contains("--tls-key") == true)
  }

  @Test("Without a certificate a server speaks no TLS, and one that can't be read is refused with its code")
  func certificate() throws {
    #expect(try Self.invocation([]).certificate() == nil)
    let error = #expect(throws: HTTPServerError.self) {
      try Self.invocation(["--tls-cert", "/none.pem", "--tls-key", "/none.key"]).certificate()
    }
    #expect(error?.code == HTTPErrorCode.certificateUnusable)
  }

  private static func invocation(_ words: [String]) throws -> Invocation {
    let terminal = Terminal(
      write: { _ in }, complain: { _ in }, read: { nil }, isTerminal: false, style: .plain, errorStyle: .plain)
    return Invocation(
      command: serveCommand, arguments: try ParsedArguments(words, for: serveCommand), terminal: terminal,
      environment: .fake(), variables: [:],
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") })
  }
}
