import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("The API of a server with a certificate", .timeLimit(.minutes(15)), .inTurn)
struct CertificateTests {
  /// - Parameter now: the time of the API, by every clock.
  private func router(
    _ certificate: ServerCertificate, at now: Timestamp, access: Access = Access()
  ) -> Router {
    let environment = Environment.fake(clock: FakeClock(now))
    return API(
      engine: FakeEngine(), live: LiveHub(store: MemoryStore(environment: environment), environment: environment),
      environment: environment, log: .silent, access: access, certificate: certificate
    ).router()
  }

  private func certificate() async throws -> ServerCertificate {
    let files = try await TestAuthority().issue("server", days: 90)
    return try ServerCertificate(certificate: files.certificate, key: files.key, now: Environment.system.wallNow())
  }

  @Test(
    "Readiness and metrics tell of a certificate that ends soon, and only then that the engine is degraded",
    arguments: [(20, "ready"), (10, "degraded"), (0, "degraded")])
  func ending(days: Int64, status: String) async throws {
    let certificate = try await certificate()
    let router = router(certificate, at: certificate.expiresAt + .seconds(-days * 86_400))
    let ready = await router.handle(try HTTPServerRequest("GET", "/readyz"))
    #expect(ready.status == 200)
    let body = try JSON(parsing: ready.body.bytes ?? [])
    #expect(body["status"] == .string(status))
    if status == "degraded" {
      #expect(body["reasons"]?[0]?["code"] == .string(HTTPErrorCode.certificateEnding))
    }
    let metrics = await router.handle(try HTTPServerRequest("GET", "/metrics"))
    let text = String(decoding: metrics.body.bytes ?? [], as: UTF8.self)
    #expect(text.contains("\ntracseq_certificate_expires_seconds \(days * 86_400)."))
    #expect(text.contains("\ntracseq_degraded \(status == "degraded" ? 1 : 0)\n"))
  }

  @Test("A session's cookie is secure on a connection with TLS, whether or not the browser names its page")
  func cookie() async throws {
    let environment = FakeEngine().environment
    let ring = try KeyRing(environment)
    let key = try ring.add("anna", "viewer")
    let router = router(
      try await certificate(), at: environment.now(), access: Access(try ring.authenticator()))
    for (isEncrypted, isSecure) in [(true, true), (false, false)] {
      let body: JSON = ["key": .string(key.text)]
      let answer = await router.handle(
        try HTTPServerRequest(
          "POST", "/v1/session", headers: ["Content-Type": "application/json"], body: body.bytes(),
          isEncrypted: isEncrypted))
      #expect(answer.status == 200)
      #expect(answer.headers["Set-Cookie"]?.hasSuffix("; Secure") == isSecure)
    }
  }
}
