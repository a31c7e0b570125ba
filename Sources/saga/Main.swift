import CSystem
import Foundation
import Runtime
import Values

@main
struct Main {
  static func main() async {
    await run().leave()
  }

  /// An async `main` runs on the main actor, and every hop from it costs: the work is done elsewhere.
  @concurrent
  private static func run() async -> ExitStatus {
    // A reader that went away (`saga list | head`) is an error of the write, not the death of the process.
    _ = signal(SIGPIPE, SIG_IGN)
    // So is a file that may not grow any more.
    _ = signal(SIGXFSZ, SIG_IGN)
    let variables = ProcessInfo.processInfo.environment
    let tool = CommandLineTool(
      groups: CommandLineTool.groups, terminal: .standard(variables), environment: .system, variables: variables,
      send: APIClient.overHTTP)
    return await tool.run(Array(CommandLine.arguments.dropFirst()))
  }
}
