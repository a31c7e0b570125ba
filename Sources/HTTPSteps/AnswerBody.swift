import HTTP
import JSON
import SagaCore
import WorkflowEngine

/// The value that the body of a successful answer gives to later steps. The status has already decided the outcome.
///
/// - JSON gives its value, text gives a string, nothing gives null.
/// - A body that can't be read gives the reason instead of a value. A step that reads the value fails with this reason.
enum AnswerBody {
  static func outcome(of response: HTTPClientResponse, limit: Int, service: Service) -> StepOutcome {
    let reader = Reader(response: response, limit: limit, service: service)
    do throws(StepFailure) {
      return .succeeded(try reader.value())
    } catch {
      return .succeededUnread(error)
    }
  }

  private struct Reader {
    let response: HTTPClientResponse
    let limit: Int
    let service: Service

    func value() throws(StepFailure) -> JSON {
      let type = MediaType(response.headers["Content-Type"])
      if let error = response.bodyError {
        // The end of an object or an array is visible in its text; the end of a number or a text is not.
        if error.code != HTTPErrorCode.responseTooLarge, type.isJSON || type.name.isEmpty,
          let text = AnswerText.exact(response.body, charset: type.charset), let json = try? JSON(parsing: text),
          json.objectValue != nil || json.arrayValue != nil
        {
          return json
        }
        throw cut(error)
      }
      guard let text = AnswerText.exact(response.body, charset: type.charset) else { throw notText(type) }
      if text.allSatisfy(\.isWhitespace) { return .null }
      guard type.isJSON || type.mayBeJSON else { return .string(text) }
      do {
        return try JSON(parsing: text)
      } catch {
        guard type.isJSON else { return .string(text) }
        throw StepFailure(
          code: EngineErrorCode.answerNotJSON,
          message: "\(said) with a body that says it is JSON and is not: \(error.message) \(beginning(of: text))")
      }
    }

    private var said: String { "\(service.name) answered \(response.status)" }

    private func beginning(of text: String) -> String {
      "The body begins: \(ParticipantText.oneLine(text, most: 100))"
    }

    private func cut(_ error: HTTPClientError) -> StepFailure {
      if error.code == HTTPErrorCode.responseTooLarge {
        return StepFailure(
          code: error.code, message: "\(said) with a body of more than \(limit) bytes, the most that the engine reads.")
      }
      return StepFailure(
        code: EngineErrorCode.answerCut,
        message:
          "\(said), and the rest of the answer could not be read after \(response.body.count) bytes of its body. "
          + error.message)
    }

    private func notText(_ type: MediaType) -> StepFailure {
      let size = "\(response.body.count) bytes"
      let coding = response.headers["Content-Encoding"].map { ", encoded as \(ParticipantText.oneLine($0, most: 50))" }
      let what = type.name.isEmpty ? size : "\(size) of \(type.name)"
      return StepFailure(
        code: EngineErrorCode.answerNotText,
        message: "\(said) with \(what)\(coding ?? ""), which can't be read as text in "
          + "\(type.charset.map { ParticipantText.oneLine($0, most: 50) } ?? "UTF-8").")
    }
  }
}
