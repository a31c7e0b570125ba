import Foundation
import HTTP
import TestSupport
import Testing
import Values

@Suite("Calls over TLS", .timeLimit(.minutes(15)), .inTurn)
struct TLSTests {
  private func request(_ peer: TLSPeer, _ tls: HTTPClientTLS) -> HTTPClientRequest {
    HTTPClientRequest(url: "https://127.0.0.1:\(peer.port)/", timeout: .seconds(30), tls: tls)
  }

  @Test("A call trusts the authority that it names, and no other; the file is read again for each connection")
  func authority() async throws {
    let peer = try await TLSPeer(wantsCertificate: false)
    let file = try TestFolder.new("trust").appendingPathComponent("ca.pem")
    try Data(contentsOf: URL(fileURLWithPath: peer.otherAuthority)).write(to: file)
    try await withClient { client in
      for tls in [HTTPClientTLS(), HTTPClientTLS(certificateAuthorities: file.path)] {
        let error = await failure(of: client, request(peer, tls))
        #expect(error?.code == HTTPErrorCode.tls && error?.sent == false)
      }
      try Data(contentsOf: URL(fileURLWithPath: peer.authority)).write(to: file)
      let answer = try await client.send(request(peer, HTTPClientTLS(certificateAuthorities: file.path)))
      #expect(answer.status == 200)
      // The trust of one call does not count for the next.
      let error = await failure(of: client, request(peer, HTTPClientTLS()))
      #expect(error?.code == HTTPErrorCode.tls)
    }
    await peer.stop()
  }

  @Test("A call shows the certificate of a client that it names")
  func certificate() async throws {
    let peer = try await TLSPeer(wantsCertificate: true)
    try await withClient { client in
      var tls = HTTPClientTLS(certificateAuthorities: peer.authority)
      let error = await failure(of: client, request(peer, tls))
      #expect(error != nil && error?.sent == false)
      tls.certificate = peer.clientCertificate
      tls.key = peer.clientKey
      let answer = try await client.send(request(peer, tls))
      #expect(answer.status == 200)
    }
    await peer.stop()
  }
}
