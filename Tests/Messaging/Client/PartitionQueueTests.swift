import TestSupport
import Testing

@testable import Messaging

@Suite("The messages of a partition that is given up", .timeLimit(.minutes(15)), .inTurn)
struct PartitionQueueTests {
  private static func message(_ offset: Int) -> KafkaMessage {
    KafkaMessage(topic: "t", partition: 0, offset: Int64(offset), key: [UInt8(offset)], value: [], headers: [])
  }

  @Test("Nothing waits for a handler that had not begun when the partition was given up")
  func notBegun() {
    var queue = PartitionQueue(limit: 8)
    for offset in 0..<3 { queue.add(Self.message(offset)) }
    #expect(queue.start().count == 3)
    let begins = queue.resume(0)
    #expect(begins)
    queue.close()
    for offset in 1..<3 {
      let begins = queue.resume(Int64(offset))
      #expect(!begins)
    }
    #expect(!queue.isIdle)
    queue.finish(0)
    #expect(queue.isIdle)
    #expect(queue.committable == 1, "the messages that were not handled come again")
  }
}
