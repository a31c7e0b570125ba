/// The completion script of zsh, as a file `_saga` of its `fpath`, or for `source`.
enum ZshCompletion {
  static func script(for places: [CompletionPlace]) -> String {
    let routes = places.map(\.route).filter { !$0.isEmpty }
    var lines = [
      "#compdef saga",
      "# Completion of saga in zsh. `saga completion zsh` writes this file.",
      "_saga() {",
      "  local route= word= option= kind= file=",
      "  local -a next options values",
      "  local -i i",
      "  for ((i = 2; i < CURRENT; i++)); do",
      "    word=$words[i]",
      "    case \"${route:+$route }$word\" in",
    ]
    lines.append(
      "      "
        + routes.map { "(\(quoted($0)))" }.map { String($0.dropFirst().dropLast()) }
        .joined(separator: " | ") + ") route=${route:+$route }$word ;;")
    lines += [
      "      *) break ;;",
      "    esac",
      "  done",
      "  if [[ $PREFIX == --*=* ]]; then",
      "    option=${PREFIX%%=*}",
      "    compset -P 1 '*='",
      "  elif [[ $words[CURRENT-1] == --* ]]; then",
      "    option=$words[CURRENT-1]",
      "  fi",
      "  case \"$route\" in",
    ]
    for place in places { lines += branch(of: place) }
    lines += [
      "    *) return 1 ;;",
      "  esac",
      "  case $kind in",
      "    words)",
      "      compset -P '*,'",
      "      compadd -a values",
      "      ;;",
      "    file) _files ;;",
      "    other) _message 'a value' ;;",
      "    *)",
      "      if [[ $PREFIX == -* || ( $#next -eq 0 && -z $file ) ]]; then",
      "        _describe -o option options",
      "      else",
      "        (( $#next )) && _describe word next",
      "        [[ -n $file ]] && _files",
      "      fi",
      "      ;;",
      "  esac",
      "}",
      "# The file is either a function of fpath, or sourced.",
      "if [[ $funcstack[1] == _saga ]]; then _saga \"$@\"; else compdef _saga saga; fi",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func branch(of place: CompletionPlace) -> [String] {
    var lines = ["    \(quoted(place.route)))"]
    if !place.next.isEmpty {
      lines.append("      next=(\(place.next.map { described($0.word, $0.summary) }.joined(separator: " ")))")
    }
    if place.takesFile { lines.append("      file=yes") }
    let names = place.options.flatMap { option in
      [option.name, option.shortName].compactMap { $0 }.map { described("--\($0)", option.help) }
    }
    lines.append("      options=(\((names + [described("--help", "show the help")]).joined(separator: " ")))")
    return lines + place.optionCases { "(\($0.map(quoted).joined(separator: " ")))" } + ["      ;;"]
  }

  /// `'--key:the Idempotency-Key'`. A colon in the word itself would end it.
  private static func described(_ word: String, _ meaning: String) -> String {
    quoted(word.replacing(":", with: "\\:") + (meaning.isEmpty ? "" : ":" + meaning))
  }

  private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}
