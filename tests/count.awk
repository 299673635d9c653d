# SPDX-License-Identifier: MIT
# Adds up what test programs report. Each input line is "STATUS LOG": a program's exit status and the file with its output. Understood in a
# log: a last line "N passed, N failed[, N skipped]", libcheck's line for each suite, TAP. Prints "FAILED LOG" for each log with a failure
# and then the sum. A program that ends badly or says nothing counts as one failure; 77 without a word is one skipped.
function count_log(log_file, line, summary, suites, taps, field) {
    p = f = s = 0
    summary = ""
    suites = taps = 0
    while ((getline line < log_file) > 0) {
        if (line ~ /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/) {
            summary = line
        } else if (line ~ /^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/) {
            split(line, field, /[^0-9]+/)
            suites++
            suite_failed += field[3] + field[4]
            suite_checks += field[2]
        } else if (line ~ /^(not )?ok( |$)/) {
            taps++
            if (line ~ /# *[Ss][Kk][Ii][Pp]/)
                tap_skipped++
            else if (line ~ /^not / && line !~ /# *[Tt][Oo][Dd][Oo]/)
                tap_failed++
        }
    }
    close(log_file)
    if (summary != "") {
        split(summary, field, /[^0-9]+/)
        p = field[1]; f = field[2]; s = field[3] + 0
    } else if (suites) {
        f = suite_failed; p = suite_checks - suite_failed
    } else if (taps) {
        f = tap_failed; s = tap_skipped; p = taps - f - s
    }
    suite_failed = suite_checks = tap_failed = tap_skipped = 0
    return summary != "" || suites || taps
}
{
    status = $1
    log_file = substr($0, length($1) + 2)
    said = count_log(log_file)
    if (!said && status == 77)
        s = 1
    else if (f == 0 && (!said || status != 0))
        f = 1
    if (f > 0)
        print "FAILED " log_file
    passed += p; failed += f; skipped += s
}
END {
    printf "%d passed, %d failed", passed, failed
    if (skipped)
        printf ", %d skipped", skipped
    print ""
}
