import TestSupport
import Testing

@testable import SagaCore
@testable import WorkflowEngine

@Suite("A cancel that comes as a message", .timeLimit(.minutes(15)), .inTurn)
struct CancelMessageTests {
  typealias Saga = SagaSpecification
  static let cancel = SagaCommand.cancel(by: "lims", reason: "wrong tube", commandID: "m-7")

  @Test("A repeated cancel changes nothing, also after the saga has ended")
  func repeated() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.when(Self.cancel) == ["turnedBack cancelled"])
    #expect(saga.state?.turnBack?.value.commandID == "m-7")
    #expect(try saga.when(Self.cancel) == [])
    try saga.succeed("b")
    #expect(try saga.when(Self.cancel) == [])
    try saga.succeed("b")
    try saga.succeed("a")
    #expect(saga.status == .compensated)
    #expect(try saga.when(Self.cancel) == [])
  }

  @Test("Another cancel is not a repeat and is refused", arguments: [nil, "m-8"])
  func other(commandID: String?) throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.when(Self.cancel)
    let other = SagaCommand.cancel(by: "lims", reason: "wrong tube", commandID: commandID)
    #expect(#expect(throws: Refusal.self) { try saga.when(other) }?.code == EngineErrorCode.sagaTurningBack)
    try saga.succeed("a")
    try saga.succeed("a")
    #expect(#expect(throws: Refusal.self) { try saga.when(other) }?.code == EngineErrorCode.sagaEnded)
  }

  @Test(
    "While a pivot is undecided a cancel is recorded once; a repeat is still a repeat after the request has lapsed",
    arguments: [true, false])
  func pivot(succeeds: Bool) throws {
    var saga = try Saga(#"[\#(Saga.http("p", #""pivot": true"#)), \#(Saga.http("z"))]"#)
    try saga.start()
    #expect(try saga.when(Self.cancel) == ["turnBackRequested cancelled"])
    #expect(try saga.when(Self.cancel) == [])
    if succeeds {
      #expect(try saga.succeed("p") == ["p succeeded", "turnBackLapsed", "z 1"])
    } else {
      try saga.refuse("p")
      #expect(saga.status == .compensated)
    }
    #expect(try saga.when(Self.cancel) == [])
  }

  @Test("A cancel after the start of compensation is refused, and no command is recorded")
  func withoutMessage() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.refuse("b")
    #expect(#expect(throws: Refusal.self) { try saga.when(Self.cancel) }?.code == EngineErrorCode.sagaTurningBack)
    #expect(saga.state?.commands == [])
  }
}
