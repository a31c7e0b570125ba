import HTTP
import TestSupport
import Testing
import Values

@Suite("Addresses that no call reaches", .timeLimit(.minutes(15)), .inTurn)
struct RefusedAddressTests {
  private static let server = HTTPServerConfiguration(
    hosts: HostPolicy(bound: "127.0.0.1", allowed: ["lims.example", "0.0.0.0"]))

  @Test(
    "A link-local, metadata, unspecified or multicast address is refused, in every form of it",
    arguments: [
      ("169.254.169.254", "metadata"), ("169.254.0.1", "link-local"), ("100.100.100.200", "metadata"),
      ("0.0.0.0", "unspecified"), ("224.0.0.1", "multicast"), ("239.255.255.255", "multicast"),
      ("255.255.255.255", "broadcast"), ("::", "unspecified"), ("[::]", "unspecified"), ("ff02::1", "multicast"),
      ("fe80::1", "link-local"), ("febf::1", "link-local"), ("[fe80::1%25eth0]", "link-local"),
      ("fd00:ec2::254", "metadata"), ("FD00:EC2::254", "metadata"), ("fd20:ce::254", "metadata"),
      ("::ffff:169.254.169.254", "metadata"), ("::ffff:a9fe:1", "link-local"), ("::169.254.169.254", "metadata"),
      ("64:ff9b::169.254.169.254", "metadata"), ("2002:a9fe:a9fe::1", "metadata"), ("::ffff:0.0.0.0", "unspecified"),
    ])
  func refused(host: String, kind: String) throws {
    let refused = try #require(RefusedAddress.of(host: host), "\(host) may be called")
    #expect(refused.kind.contains(kind))
  }

  @Test(
    "A private, loopback or public address may be called, and a name is judged when it is resolved",
    arguments: [
      "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.9", "100.64.0.1", "169.253.1.1", "169.255.1.1", "8.8.8.8",
      "223.255.255.255", "::1", "fd12::1", "fec0::1", "2001:db8::1", "::ffff:10.0.0.1", "lims.example", "localhost",
    ])
  func allowed(host: String) { #expect(RefusedAddress.of(host: host) == nil) }

  @Test(
    "The client opens no connection to a refused address, whatever the URL calls it",
    arguments: [
      "http://169.254.169.254/latest/meta-data", "http://2852039166/", "http://0xa9fea9fe/", "http://0.0.0.0:1/",
      "http://[::ffff:169.254.169.254]/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://lims.example:80/",
      "http://six.example:80/",
    ])
  func client(url: String) async throws {
    var configuration = HTTPClientConfiguration()
    // A name that a name server turns into the address of the metadata, as with DNS rebinding.
    configuration.namesForTests = ["lims.example:80:169.254.169.254", "six.example:80:[fd00:ec2::254]"]
    try await withClient(configuration) { client in
      let error = await failure(of: client, HTTPClientRequest(method: "POST", url: url, timeout: .seconds(20)))
      #expect(error?.code == HTTPErrorCode.addressRefused, "\(url): \(String(describing: error))")
      #expect(error?.sent == false)
    }
  }

  @Test("A name that leads to a refused address and to the loopback is called at the loopback")
  func both() async throws {
    try await withServer(Self.server) { _ in
      .text("here")
    } body: { port in
      var configuration = HTTPClientConfiguration()
      configuration.namesForTests = ["lims.example:\(port):169.254.169.254,127.0.0.1"]
      try await withClient(configuration) { client in
        let answer = try await client.send(HTTPClientRequest(url: "http://lims.example:\(port)/"))
        #expect(answer.text == "here")
      }
    }
  }

  @Test("A client that may reach every address tries")
  func free() async throws {
    try await withServer(Self.server) { _ in
      .text("here")
    } body: { port in
      try await withClient(HTTPClientConfiguration(reachesRefusedAddresses: true)) { client in
        // On Linux and macOS the unspecified address leads to the machine itself.
        let answer = try await client.send(HTTPClientRequest(url: "http://0.0.0.0:\(port)/"))
        #expect(answer.text == "here")
      }
    }
  }
}
