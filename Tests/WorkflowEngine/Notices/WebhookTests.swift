import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Notifications
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Webhooks", .timeLimit(.minutes(15)), .inTurn)
struct WebhookTests {
  static let secret = "whsec_" + Data((0..<32).map { UInt8($0 * 7) }).base64EncodedString()
  static let notice = Notice(
    id: "019c8a5e-7b1c-7d2e-8f3a-0123456789ab/17", type: .sagaStuck, at: Timestamp(milliseconds: 1_772_352_930_250),
    subject: "019c8a5e-7b1c-7d2e-8f3a-0123456789ab", summary: "Saga “x” is stuck.",
    details: ["version": 17, "step": "é"])

  private func webhook(_ url: String, _ client: HTTPClient, secret: String = secret) throws -> Webhook {
    Webhook(
      name: "pager", url: url, secrets: try WebhookSecret.read(secret), client: client, environment: .system)
  }

  /// Runs a program, and gives what it prints.
  private func run(_ words: [String], input: [UInt8]) async throws -> String {
    let result = try await TestProcess.run(words[0], Array(words.dropFirst()), input: input, errors: .inherited)
    #expect(result.status == 0)
    return String(decoding: result.bytes, as: UTF8.self)
  }

  private static func has(_ program: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
  }

  @Test(
    "A post has the notice and the headers of Standard Webhooks; openssl computes the same signature",
    .enabled(if: has("openssl")))
  func signature() async throws {
    let client = HTTPClient()
    let receiver = try Receiver()
    let before = Environment.system.now().milliseconds / 1_000
    #expect(try await webhook(receiver.url, client).deliver(Self.notice) == .delivered(answer: "204"))
    let post = await receiver.posts.wait(for: 1)[0]
    #expect(post.headers["Content-Type"] == "application/json")
    #expect(post.headers["webhook-id"] == Self.notice.id)
    let timestamp = try #require(post.headers["webhook-timestamp"])
    #expect(Int64(timestamp).map { (before...before + 60).contains($0) } == true)
    #expect(post.json == Self.notice.body)
    #expect(
      post.json == [
        "type": "saga.stuck", "timestamp": "2026-03-01T08:15:30.250Z",
        "data": [
          "id": .string(Self.notice.id), "type": "saga.stuck", "at": "2026-03-01T08:15:30.250Z",
          "summary": "Saga “x” is stuck.", "version": 17, "step": "é",
        ],
      ])
    let key = Digest.hexadecimal([UInt8](Data(base64Encoded: String(Self.secret.dropFirst(6))) ?? Data()))
    let digest = try await run(
      ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:\(key)", "-r"],
      input: Array("\(Self.notice.id).\(timestamp).".utf8) + post.body)
    let mac = try #require(Digest.bytes(hexadecimal: String(digest.prefix(64))))
    #expect(post.headers["webhook-signature"] == "v1," + Data(mac).base64EncodedString())
    await client.shutdown()
    await receiver.close()
  }

  @Test("The guide's receiver accepts only posts that are signed with its secret", .enabled(if: has("python3")))
  func guide() async throws {
    let guide = String(decoding: try Repository.bytes("docs/operating.md"), as: UTF8.self)
    let script = try #require(guide.firstMatch(of: /```python\n(.*?)```/.dotMatchesNewlines()).map { String($0.1) })
    let process = try TestProcess(
      "python3", ["-u", "-c", script, "0"], variables: ["SAGA_WEBHOOK_SECRET": Self.secret], errors: .discarded)
    defer { process.send(SIGTERM) }
    var heard = process.lines.makeAsyncIterator()
    let port = try #require(await heard.next()?.split(separator: " ").last.flatMap { Int($0) })
    let url = "http://127.0.0.1:\(port)/"
    let client = HTTPClient()
    #expect(try await webhook(url, client).deliver(Self.notice) == .delivered(answer: "204"))
    #expect(await heard.next() == Self.notice.summary)
    // While the secret is being changed both sign.
    let other = "whsec_" + Data(repeating: 9, count: 24).base64EncodedString()
    #expect(
      try await webhook(url, client, secret: "\(other) \(Self.secret)").deliver(Self.notice)
        == .delivered(answer: "204"))
    #expect(await heard.next() == Self.notice.summary)
    guard case .failed(let failure) = try await webhook(url, client, secret: other).deliver(Self.notice) else {
      Issue.record("A wrong signature was taken")
      return
    }
    #expect(failure.code == EngineErrorCode.noticeRefused && failure.message.contains("401"))
    // An old one is a replay.
    let old = Webhook(
      name: "pager", url: url, secrets: try WebhookSecret.read(Self.secret), client: client, environment: .fake())
    guard case .failed = await old.deliver(Self.notice) else {
      Issue.record("An old notice was taken")
      return
    }
    await client.shutdown()
  }

  @Test(
    "A receiver's status decides whether a notice is delivered, refused or gone",
    arguments: [
      (200, nil, nil), (204, nil, nil), (301, "notice.refused", nil), (400, "notice.refused", nil),
      (404, "notice.refused", nil), (410, "notice.gone", nil), (429, "notice.refused", 120), (503, "notice.refused", 7),
    ] as [(Int, String?, Int?)])
  func answers(_ status: Int, _ code: String?, _ retryAfter: Int?) async throws {
    let client = HTTPClient()
    let receiver = try Receiver { _ in
      var headers: HTTPHeaders = ["Location": "http://127.0.0.1:1/elsewhere"]
      headers["Retry-After"] = retryAfter.map { "\($0)" }
      return HTTPServerResponse(status: status, headers: headers, body: .bytes(Array("some\u{1B}[31m words\n".utf8)))
    }
    let outcome = try await webhook(receiver.url, client).deliver(Self.notice)
    switch outcome {
    case .delivered(let answer): #expect(code == nil && answer.hasPrefix("\(status)"))
    case .failed(let failure):
      #expect(failure.code == code)
      #expect(failure.isGone == (status == 410))
      #expect(failure.retryAfter == retryAfter.map { .seconds($0) })
      #expect(failure.message.contains("\(status)"))
      #expect(!failure.message.unicodeScalars.contains { $0.value < 0x20 }, "nothing that a terminal would obey")
    }
    #expect(receiver.posts.all.count == 1, "no redirect is followed")
    await client.shutdown()
    await receiver.close()
  }

  @Test("A refused connection is a failure with the code of the call; only the host of the URL is shown")
  func nobody() async throws {
    let client = HTTPClient()
    let webhook = try webhook("http://u:hunter2@127.0.0.1:1/hooks/T0PSECRET?key=1", client)
    guard case .failed(let failure) = await webhook.deliver(Self.notice) else {
      Issue.record("Nobody took it")
      return
    }
    #expect(failure.code == HTTPErrorCode.connectionRefused)
    #expect(webhook.target == "http://127.0.0.1:1")
    for secret in ["hunter2", "T0PSECRET", "key=1"] { #expect(!failure.message.contains(secret), "\(failure.message)") }
    #expect("\(try WebhookSecret.read(Self.secret))" == "[whsec_…]")
    await client.shutdown()
  }

  @Test(
    "A receiver that repeats the URL's secret parts, or a signature, brings none of them before people",
    arguments: ["/hooks/T0PSECRET-%C3%A9-4711?room=lobby-7&key=hunter2-4711", "/T0PSECRET-4711", "/?hunter2-4711"])
  func echo(_ place: String) async throws {
    let server = HTTPServer(environment: .system) { request in
      let lines = [
        "Cannot POST \(place)", "path \(request.path)", "decoded \(place.removingPercentEncoding ?? "")",
        "last \(place.split { "/=?".contains($0) }.last ?? "")",
        "signature: \(request.headers["webhook-signature"] ?? "")",
      ]
      return HTTPServerResponse(status: 404, body: .bytes(Array(lines.joined(separator: "; ").utf8)))
    }
    let client = HTTPClient()
    let url = "http://u:hunter2-pass@127.0.0.1:\(try server.start())\(place)"
    guard case .failed(let failure) = try await webhook(url, client).deliver(Self.notice) else {
      Issue.record("A refusal was a delivery")
      return
    }
    #expect(failure.message.contains("404: Cannot POST ***"), "\(failure.message)")
    for secret in ["hunter2", "4711", "v1,"] { #expect(!failure.message.contains(secret), "\(failure.message)") }
    await client.shutdown()
    await server.shutdown(drain: .seconds(1))
  }

  @Test(
    "An invalid secret is refused, and is not in the message",
    arguments: [
      "", " ", "hunter2", "whsec_hunter2!", "whsec_", "whsec_aHVudGVyMg==",
      "whsec_" + Data(repeating: 1, count: 65).base64EncodedString(), "\(secret) hunter2",
    ])
  func secrets(_ text: String) {
    let error = #expect(throws: EngineError.self) { try WebhookSecret.read(text) }
    #expect(error?.code == EngineErrorCode.webhookSecretInvalid)
    #expect(error?.message.contains("hunter2") == false && error?.message.contains("aHVud") == false)
  }

  @Test("A stuck saga makes exactly one delivered notice, although the receiver was down at first")
  func wholeWay() async throws {
    let bench = try await NoticeBench()
    let client = HTTPClient()
    let isDown = Told<Bool>()
    let receiver = try Receiver { _ in HTTPServerResponse(status: isDown.all.isEmpty ? 503 : 200) }
    let webhook = Webhook(
      name: "pager", url: receiver.url, secrets: try WebhookSecret.read(Self.secret), client: client,
      environment: bench.environment)
    try await bench.run(webhook) { notices in
      let id = try await bench.append("one")
      await receiver.posts.wait(for: 1)
      try await bench.status(notices) { $0.failures == 1 }
      isDown.add(false)
      try await bench.advanceToNextTry(notices)
      try await bench.status(notices) { $0.delivered == 1 }
      let posts = receiver.posts.all
      #expect(posts.count == 2)
      #expect(posts.map { $0.headers["webhook-id"] } == ["\(id)/1", "\(id)/1"])
      #expect(posts[0].body == posts[1].body)
      #expect(posts[0].headers["webhook-timestamp"] != posts[1].headers["webhook-timestamp"])
      #expect(posts[0].headers["webhook-signature"] != posts[1].headers["webhook-signature"])
    }
    await client.shutdown()
    await receiver.close()
  }
}
