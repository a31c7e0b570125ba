import HTTP
import Streaming
import Values
import Wire

// The echo to Kafka: its state, and its rewind.
extension API {
  var kafkaRoutes: [Route] {
    [
      Route(.getEcho, showEcho),
      Route(.rewindEcho, rewindEcho),
    ]
  }

  private func showEcho(_ call: Call) async throws -> HTTPServerResponse {
    let kafka = try requireKafka()
    return .json(EchoResponse(try await kafka.echo.status(), consumers: kafka.consumers).json)
  }

  private func rewindEcho(_ call: Call) async throws -> HTTPServerResponse {
    let kafka = try requireKafka()
    let (user, from) = (try call.user(), try call.origin())
    var body = try BodyReader(call.request)
    let reason = body.reason()
    let shard = body.integer("shard", from: 0)
    let position = body.integer("to", from: 0, isRequired: true)
    try body.finish()
    let events = try await kafka.echo.rewind(
      shard: shard, to: Int64(position ?? 0), by: user, reason: reason ?? "", from: from)
    return .json(EchoRewindResponse(events: Int(events)).json, status: 202)
  }

  private func requireKafka() throws(Problem) -> any KafkaView {
    guard let kafka else {
      throw Refusals.problem(
        ServerErrorCode.echoOff,
        "This engine was started without Kafka, so it has no echo. `saga serve --kafka HOST:PORT` turns the echo on.")
    }
    return kafka
  }
}
