import Messaging
import Persistence
import TestSupport
import Testing
import Values

@testable import Streaming

@Suite("The progress of the echo in a shard: given, when, then", .timeLimit(.minutes(15)), .inTurn)
struct ShardTests {
  // MARK: Sending

  @Test("Buffered events are sent in order, each once; `delivered` is the last position reported without a gap")
  func inOrder() {
    var shard = EchoShard.given(5)
    #expect(shard.send() == [1, 2, 3, 4, 5] && shard.send().isEmpty)
    #expect(shard.onTheWay == 5 && shard.delivered == 0 && shard.head == 5)
    shard.report([3, 1])
    #expect(shard.delivered == 1, "2 has not been reported")
    shard.report([2])
    #expect(shard.delivered == 3)
    shard.report([5, 4])
    #expect(shard.delivered == 5 && shard.isDone && shard.onTheWay == 0 && shard.head == 5)
  }

  @Test("An event that is not published is skipped, and counts as delivered in order")
  func skipped() {
    var shard = EchoShard.given(3)
    #expect(shard.send(1) == [1])
    shard.didSkip()
    #expect(shard.delivered == 0)
    #expect(shard.send() == [3])
    shard.report([1])
    #expect(shard.delivered == 2)
    shard.report([3])
    #expect(shard.isDone)
  }

  @Test("Sending begins after the checkpoint")
  func fromCheckpoint() {
    var shard = EchoShard(shard: 0, checkpoint: 40, head: 42)
    #expect(shard.needsTail && shard.next == 41 && shard.head == 42)
    shard.read(StoredEvent.samples(41...42), limit: .max)
    #expect(!shard.needsTail && shard.send() == [41, 42])
    #expect(EchoShard(shard: 0, checkpoint: 42, head: 42).isDone)
  }

  @Test("The time of the oldest undelivered event is known as soon as the event is buffered")
  func oldest() {
    var shard = EchoShard.given(3)
    let times = StoredEvent.samples(1...3).map(\.recordedAt)
    #expect(shard.oldest == times[0])
    shard.send(2)
    #expect(shard.oldest == times[0])
    shard.report([1])
    #expect(shard.oldest == times[1])
    shard.report([2])
    #expect(shard.oldest == times[2])
    shard.send()
    shard.report([3])
    #expect(shard.oldest == nil)
  }

  // MARK: The feed

  @Test("A run that follows the buffered events is appended; of a run that overlaps them, only the new events are")
  func runs() {
    var shard = EchoShard.given(2)
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(3...4)))
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(2...6)))
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(1...5)))
    #expect(shard.head == 6 && shard.send() == [1, 2, 3, 4, 5, 6])
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(5...7)))
    #expect(shard.send() == [7] && !shard.needsTail)
  }

  @Test("After a run with a gap, the tail is read when the buffered events are sent")
  func gap() {
    var shard = EchoShard.given(2)
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(5...6)))
    #expect(shard.head == 6 && !shard.needsTail)
    #expect(shard.send() == [1, 2] && shard.needsTail)
    shard.read(StoredEvent.samples(3...6), limit: .max)
    #expect(shard.send() == [3, 4, 5, 6] && !shard.needsTail)
  }

  @Test("After a cut run the tail is read to its end, page by page, although the end is unknown")
  func cut() {
    var shard = EchoShard.given(0)
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(1...3), isCut: true))
    #expect(shard.send() == [1, 2, 3] && shard.needsTail)
    // A full page says nothing of what is behind it.
    shard.read(StoredEvent.samples(4...6), limit: 3)
    #expect(shard.send() == [4, 5, 6] && shard.needsTail)
    shard.read(StoredEvent.samples(7...9), limit: 3)
    #expect(shard.send() == [7, 8, 9] && shard.needsTail)
    shard.read([], limit: .max)
    #expect(!shard.needsTail && shard.head == 9)
    shard.report(1...9)
    #expect(shard.isDone)
  }

  @Test("A wrong hint of more events is dropped at the end of the tail")
  func emptyHint() {
    var shard = EchoShard.given(2)
    shard.send()
    shard.report(1...2)
    shard.commit(CommittedRun(shard: 0, events: [], isCut: true))
    #expect(shard.needsTail && !shard.isDone)
    shard.read([], limit: .max)
    #expect(!shard.needsTail && shard.isDone && shard.head == 2)
  }

  @Test("A hint of more events comes with an event that was overtaken, and stays after later events")
  func overtakenHint() {
    var shard = EchoShard.given(3)
    shard.send()
    shard.report(1...3)
    // Position 2 was reported late, and the feed had no room for the events after 3.
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(2...2), isCut: true))
    #expect(shard.needsTail && !shard.isDone && shard.head == 3)
    // Neither does 4 mean that there was nothing but 4.
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(4...4)))
    #expect(shard.send() == [4])
    #expect(shard.needsTail && shard.head == 4)
    shard.read(StoredEvent.samples(5...6), limit: .max)
    #expect(shard.send() == [5, 6] && !shard.needsTail)
  }

  // MARK: Failures

  @Test("After a failure nothing is sent until all is reported; then all events from the failed one are sent again")
  func failure() {
    var shard = EchoShard.given(6)
    shard.send(5)
    shard.report([1, 2])
    shard.report([4], .passing)
    #expect(shard.send().isEmpty, "3 and 5 are on their way")
    shard.report([5])
    shard.report([3], .passing)
    #expect(shard.delivered == 2 && shard.onTheWay == 0)
    #expect(!shard.needsTail, "the failure is looked at first")
    #expect(shard.send().isEmpty && shard.needsTail && shard.next == 3)
    shard.read(StoredEvent.samples(3...6), limit: .max)
    #expect(shard.send() == [3, 4, 5, 6], "5 again, though it had arrived: a reader keeps the highest position")
    shard.report(3...6)
    #expect(shard.isDone && shard.failures == 0)
  }

  @Test("Failures are counted once a round until an event is delivered")
  func counted() {
    var shard = EchoShard.given(3)
    for round in 1...3 {
      if shard.needsTail { shard.read(StoredEvent.samples(1...3), limit: .max) }
      #expect(shard.send() == [1, 2, 3])
      shard.report(1...3, .passing)
      #expect(shard.failures == round)
      _ = shard.nextToSend()
    }
    shard.read(StoredEvent.samples(1...3), limit: .max)
    shard.send(1)
    shard.report([1])
    #expect(shard.failures == 0)
  }

  @Test("Events committed during a failure are sent afterwards, each once")
  func committedMeanwhile() {
    var shard = EchoShard.given(2)
    shard.send()
    shard.report([1], .passing)
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(3...4)))
    shard.report([2], .passing)
    #expect(shard.send().isEmpty)
    shard.commit(CommittedRun(shard: 0, events: StoredEvent.samples(5...5)))
    #expect(shard.needsTail && shard.head == 5)
    shard.read(StoredEvent.samples(1...5), limit: .max)
    #expect(shard.send() == [1, 2, 3, 4, 5])
  }

  // MARK: Refusals

  @Test("A refused batch is sent one by one; the event that is refused alone becomes a dead letter, the others arrive")
  func refusedBatch() throws {
    var shard = EchoShard.given(4)
    shard.send()
    shard.report([1])
    shard.report(2...4, .refusing)
    #expect(shard.suspects == [2, 3, 4])
    _ = shard.nextToSend()
    shard.read(StoredEvent.samples(2...4), limit: .max)
    #expect(shard.send() == [2], "alone")
    #expect(shard.alone == 2)
    shard.report([2])
    #expect(shard.send() == [3])
    shard.report([3], .refusing)
    #expect(shard.send().isEmpty && shard.refused?.position == 3)
    #expect(shard.needsTail, "an event must be buffered to become a dead letter")
    shard.read(StoredEvent.samples(3...4), limit: .max)
    #expect(try #require(shard.refusedEvent).position == 3)
    #expect(shard.send().isEmpty, "nothing goes past it before it is buried")
    shard.didBury(3)
    #expect(shard.delivered == 3 && shard.send() == [4])
    shard.report([4])
    #expect(shard.isDone && shard.suspects.isEmpty && shard.refused == nil)
  }

  @Test("A suspect waits until all events before it are reported")
  func suspectWaits() {
    var shard = EchoShard.given(3)
    shard.send()
    shard.report([1], .passing)
    shard.report([2], .passing)
    shard.report([3], .refusing)
    _ = shard.nextToSend()
    shard.read(StoredEvent.samples(1...3), limit: .max)
    #expect(shard.send() == [1, 2])
    shard.report([1])
    #expect(shard.send().isEmpty)
    shard.report([2])
    #expect(shard.send() == [3] && shard.alone == 3)
  }

  @Test("A suspect that fails for another reason is still a suspect")
  func suspectFails() {
    var shard = EchoShard.given(1)
    shard.send()
    shard.report([1], .refusing)
    _ = shard.nextToSend()
    shard.read(StoredEvent.samples(1...1), limit: .max)
    #expect(shard.send() == [1])
    shard.report([1], .passing)
    #expect(shard.refused == nil && shard.alone == nil && shard.suspects == [1])
    _ = shard.nextToSend()
    shard.read(StoredEvent.samples(1...1), limit: .max)
    #expect(shard.send() == [1] && shard.alone == 1)
  }

  @Test("An event that can't be sent becomes a dead letter after the events on their way")
  func unsendable() {
    var shard = EchoShard.given(3)
    shard.send(1)
    #expect(shard.nextToSend()?.position == 2)
    shard.didRefuse(.refusing)
    #expect(shard.refusedEvent == nil && shard.send().isEmpty)
    shard.report([1])
    #expect(shard.refusedEvent?.position == 2)
    shard.didBury(2)
    #expect(shard.delivered == 2 && shard.send() == [3])
  }

  @Test("When events before an unsendable one fail, they are sent first, and nothing hangs")
  func failureBeforeUnsendable() {
    var shard = EchoShard.given(3)
    shard.send(2)
    #expect(shard.nextToSend()?.position == 3)
    shard.didRefuse(.refusing)
    shard.report([1], .passing)
    shard.report([2], .passing)
    #expect(shard.refusedEvent == nil, "what is before it was not delivered")
    #expect(shard.send().isEmpty && shard.needsTail)
    shard.read(StoredEvent.samples(1...3), limit: .max)
    #expect(shard.send(2) == [1, 2])
    #expect(shard.nextToSend()?.position == 3)
    shard.didRefuse(.refusing)
    shard.report([1, 2])
    #expect(shard.refusedEvent?.position == 3)
    shard.didBury(3)
    #expect(shard.isDone)
  }

  @Test("A page that was read before an event became a dead letter does not bring that event again")
  func latePage() {
    var shard = EchoShard.given(2)
    shard.send()
    shard.report(1...2, .refusing)
    _ = shard.nextToSend()
    shard.read(StoredEvent.samples(1...2), limit: .max)
    #expect(shard.send() == [1])
    shard.report([1], .refusing)
    shard.didBury(1)
    #expect(shard.next == 2 && shard.delivered == 1)
    shard.read(StoredEvent.samples(1...2), limit: .max)
    #expect(shard.send() == [2])
    shard.report([2])
    #expect(shard.isDone)
  }

  // MARK: Going back

  @Test("A rewind sends the events after its position again; late reports from before don't count")
  func rewind() {
    var shard = EchoShard.given(6)
    shard.send()
    shard.report(1...4)
    let before = shard.epoch
    shard.rewind(to: 2)
    #expect(shard.delivered == 2 && shard.next == 3 && shard.needsTail && shard.head == 6)
    shard.report(5, epoch: before, nil)
    shard.report(6, epoch: before, .passing)
    #expect(shard.delivered == 2 && shard.onTheWay == 0 && shard.failedFrom == nil)
    shard.read(StoredEvent.samples(3...6), limit: .max)
    #expect(shard.send() == [3, 4, 5, 6])
    shard.report(3...6)
    #expect(shard.isDone)
  }

  @Test("A rewind while an event becomes a dead letter begins before the event; the sent dead letter counts")
  func rewindWhileBurying() {
    var shard = EchoShard.given(3)
    shard.send(1)
    _ = shard.nextToSend()
    shard.didRefuse(.refusing)
    shard.report([1])
    #expect(shard.refusedEvent?.position == 2)
    shard.rewind(to: 0)
    shard.didBury(2)
    #expect(shard.delivered == 0, "it was taken back")
    shard.read(StoredEvent.samples(1...3), limit: .max)
    #expect(shard.send(1) == [1])
    _ = shard.nextToSend()
    shard.didRefuse(.refusing)
    shard.report([1])
    shard.didBury(2)
    #expect(shard.send() == [3])
    shard.report([3])
    #expect(shard.isDone)
  }
}

@Suite("The token of an event on its way", .timeLimit(.minutes(15)), .inTurn)
struct EchoTokenTests {
  @Test(
    "Shard, epoch and position come back, up to the largest of each, and the highest bit stays free",
    arguments: [0, 1, Shard.maxCount - 1], [0, 1, 1 << 39, (1 << 40) - 1] as [Int64])
  func limits(shard: Int, position: Int64) {
    for epoch in [0, 1, 4_095, 4_096, 1 << 40] as [UInt64] {
      let token = EchoToken.make(shard: shard, epoch: epoch, position: position)
      #expect(token >> 63 == 0)
      #expect(EchoToken.shard(token) == shard && EchoToken.position(token) == position)
      #expect(EchoToken.epoch(token, near: epoch) == epoch)
      #expect(EchoToken.epoch(token, near: epoch + 1) != epoch + 1, "one of before is not one of now")
    }
  }
}
