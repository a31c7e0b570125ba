import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The repository's workflows that do the same over HTTP and Kafka", .timeLimit(.minutes(15)), .inTurn)
struct RepositoryTests {
  @Test("sample-processing-kafka is sample-processing with commands in place of calls")
  func sampleProcessing() throws {
    let services: Set = ["samples", "storage", "sequencing", "notification"]
    let bytes = try Repository.bytes("workflows/sample-processing-kafka.json")
    let result = WorkflowChecker.check(bytes, services: [], kafkaServices: services)
    #expect(result.findings.map(\.description) == [])
    let schema = SchemaValidator(document: try JSON(parsing: try Repository.bytes("docs/schema/workflow.schema.json")))
    #expect(try schema.accepts(try JSON(parsing: bytes)))

    let overKafka = try JSON(parsing: bytes)
    let overHTTP = try JSON(parsing: try Repository.bytes("workflows/sample-processing.json"))
    for member in ["version", "owner", "title", "labels", "timeout", "inputSchema", "defaults", "output"] {
      #expect(overKafka[member] == overHTTP[member], "\(member)")
    }
    let steps = try #require(overKafka["steps"]?.arrayValue)
    let others = try #require(overHTTP["steps"]?.arrayValue)
    #expect(steps.count == others.count)
    for (step, other) in zip(steps, others) {
      for member in ["id", "description", "timeout", "retry", "dependsOn"] {
        #expect(step[member] == other[member], "\(member)")
      }
      // The service is the same, and so are the body's members over HTTP. The ids of the path are members beside them.
      let (kafka, http) = (try #require(step["kafka"]), try #require(other["http"]))
      #expect(kafka["service"] == http["service"])
      for (name, value) in http["body"]?.objectValue ?? [:] { #expect(kafka["body"]?[name] == value, "\(name)") }
      let (undo, undoOther) = (step["compensation"]?["kafka"], other["compensation"]?["http"])
      #expect(undo?["service"] == undoOther?["service"])
      #expect((step["compensation"] == "none") == (other["compensation"] == "none"))
    }
  }
}
