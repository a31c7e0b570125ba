/// The completion script of bash. It needs bash 4 and no other package.
enum BashCompletion {
  static func script(for places: [CompletionPlace]) -> String {
    let routes = places.map(\.route).filter { !$0.isEmpty }
    var lines = [
      "# Completion of saga in bash. `saga completion bash` writes this file.",
      "_saga() {",
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev= option= prefix= route= word=",
      "  local next= options= kind= values= file=",
      "  local -i i",
      "  COMPREPLY=()",
      "  ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}",
      "  # bash makes three words of --option=value, unless COMP_WORDBREAKS was changed.",
      "  if [[ $cur == --*=* ]]; then",
      "    option=${cur%%=*} prefix=${cur%%=*}= cur=${cur#*=}",
      "  elif [[ $cur == = ]]; then",
      "    option=$prev cur=",
      "  elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then",
      "    option=${COMP_WORDS[COMP_CWORD - 2]}",
      "  elif [[ $prev == --* ]]; then",
      "    option=$prev",
      "  fi",
      "  for ((i = 1; i < COMP_CWORD; i++)); do",
      "    word=${COMP_WORDS[i]}",
      "    case \"${route:+$route }$word\" in",
    ]
    lines.append("      " + routes.map { "'\($0)'" }.joined(separator: " | ") + ") route=${route:+$route }$word ;;")
    lines += ["      *) break ;;", "    esac", "  done", "  case \"$route\" in"]
    for place in places { lines += branch(of: place) }
    lines += [
      "    *) return ;;",
      "  esac",
      "  case $kind in",
      "    words)",
      "      # Some options take several words with commas.",
      "      [[ $cur == *,* ]] && prefix+=${cur%,*}, cur=${cur##*,}",
      "      mapfile -t COMPREPLY < <(compgen -P \"$prefix\" -W \"$values\" -- \"$cur\")",
      "      ;;",
      "    file)",
      "      compopt -o filenames",
      "      mapfile -t COMPREPLY < <(compgen -P \"$prefix\" -f -- \"$cur\")",
      "      ;;",
      "    other) ;;",
      "    *)",
      "      if [[ $cur == -* || -z $next$file ]]; then",
      "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")",
      "      else",
      "        mapfile -t COMPREPLY < <(compgen -W \"$next\" -- \"$cur\")",
      "        if [[ -n $file ]]; then",
      "          compopt -o filenames",
      "          mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$cur\")",
      "        fi",
      "      fi",
      "      ;;",
      "  esac",
      "}",
      "complete -F _saga saga",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func branch(of place: CompletionPlace) -> [String] {
    var lines = ["    '\(place.route)')"]
    if !place.next.isEmpty { lines.append("      next='\(place.next.map(\.word).joined(separator: " "))'") }
    if place.takesFile { lines.append("      file=yes") }
    let names = place.options.flatMap { [$0.name, $0.shortName].compactMap { $0 } }.map { "--\($0)" }
    lines.append("      options='\((names + ["--help"]).joined(separator: " "))'")
    return lines + place.optionCases { "'\($0.joined(separator: " "))'" } + ["      ;;"]
  }
}
