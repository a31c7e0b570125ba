import Messaging
import TestSupport
import Testing

@Suite("Handlers are registered by type", .timeLimit(.minutes(15)), .inTurn)
struct MessageHandlersTests {
  private func handlers(_ seen: Seen<String>) -> MessageHandlers {
    MessageHandlers(
      reading: { message in (message.key.map { String(decoding: $0, as: UTF8.self) } ?? "", message.offset) },
      [
        "began": { offset in await seen.add("began at \(offset)") },
        "ended": { offset in await seen.add("ended at \(offset)") },
      ])
  }

  private func message(_ type: String, _ offset: Int64) -> KafkaMessage {
    KafkaMessage(
      topic: "t", partition: 0, offset: offset, key: Array(type.utf8), value: nil, headers: [], timestamp: nil)
  }

  @Test("Each message goes to the handler of its type, with what was read of it")
  func byType() async throws {
    let seen = Seen<String>()
    try await handlers(seen).handle(message("ended", 7))
    try await handlers(seen).handle(message("began", 8))
    #expect(await seen.all == ["ended at 7", "began at 8"])
  }

  @Test("A message of an unknown type is poison, and the reason names the known types")
  func unknownType() async throws {
    let seen = Seen<String>()
    let poison = await #expect(throws: Poison.self) { try await handlers(seen).handle(message("paused", 1)) }
    #expect(poison?.code == MessagingErrorCode.messageUnknownType)
    #expect(poison?.message == "No handler takes messages of the type “paused”. The known types are began, ended.")
    #expect(await seen.all.isEmpty)
  }
}
