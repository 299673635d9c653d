# SPDX-License-Identifier: MIT
# From gcov's summaries to a table: lines and branches of each folder of agent/, then of the files below 95 %. Where several objects tell of
# one file (a header) the last counts.
function percent(part, whole) { return whole ? sprintf("%6.2f %%", 100 * part / whole) : "     - " }
/^File '/ {
    file = $0
    sub(/^File '/, "", file)
    sub(/'$/, "", file)
    sub(/.*\/agent\//, "agent/", file)
    wanted = file ~ /^agent\/.*\.c$/
}
wanted && /^Lines executed:/ {
    split($0, part, /[:% ]+/)
    lines[file] = part[length(part)]
    lines_hit[file] = part[3] * lines[file] / 100
}
wanted && /^Taken at least once:/ {
    split($0, part, /[:% ]+/)
    branches[file] = part[length(part)]
    branches_hit[file] = part[5] * branches[file] / 100
    wanted = 0
}
END {
    for (file in lines) {
        folder = file
        sub(/\/[^\/]*$/, "", folder)
        all[folder] += lines[file]
        hit[folder] += lines_hit[file]
        all_branches[folder] += branches[file]
        hit_branches[folder] += branches_hit[file]
    }
    printf "%-36s %9s %12s %9s %12s\n", "folder", "lines", "executed", "branches", "taken"
    for (folder in all)
        printf "%-36s %9d %12s %9d %12s\n", folder, all[folder], percent(hit[folder], all[folder]), all_branches[folder], percent(hit_branches[folder], all_branches[folder]) | "sort"
    close("sort")
    for (file in lines)
        if (lines_hit[file] < 0.95 * lines[file])
            printf "%-36s %9d %12s %9d %12s\n", file, lines[file], percent(lines_hit[file], lines[file]), branches[file], percent(branches_hit[file], branches[file]) | "sort"
}
