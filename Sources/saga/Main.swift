import CSystem
import Foundation
import Runtime

@main
struct Main {
  static func main() async {
    await run().leave()
  }

  /// Runs the command outside the main actor. An async `main` runs on the main actor, and every hop from it is slow.
  @concurrent
  private static func run() async -> ExitStatus {
    saga_limit_heaps()
    // When a reader closes the pipe (`saga list | head`), the write fails and the process continues.
    _ = signal(SIGPIPE, SIG_IGN)
    // The same applies to a file that may not grow any more.
    _ = signal(SIGXFSZ, SIG_IGN)
    let variables = ProcessInfo.processInfo.environment
    let tool = CommandLineTool(
      groups: CommandLineTool.groups, terminal: .standard(variables), environment: .system, variables: variables,
      send: APIClient.overHTTP)
    return await tool.run(Array(CommandLine.arguments.dropFirst()))
  }
}
