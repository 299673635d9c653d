# SPDX-License-Identifier: MIT
# Compiler and linker flags, each used only where a compile check shows that it works.

# SLOTD_TRY_FLAG(VARIABLE, FLAG): appends FLAG to VARIABLE when a program compiles and links with it.
AC_DEFUN([SLOTD_TRY_FLAG], [
    AS_VAR_PUSHDEF([cached], [slotd_cv_flag_$2])
    AC_CACHE_CHECK([whether $CC takes $2], [cached], [
        slotd_save_CFLAGS=$CFLAGS
        CFLAGS="$CFLAGS -Werror $2"
        AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[char s[64]; memset(s, 0, sizeof s); return s[5];]])],
            [AS_VAR_SET([cached], [yes])], [AS_VAR_SET([cached], [no])])
        CFLAGS=$slotd_save_CFLAGS
    ])
    AS_VAR_IF([cached], [yes], [AS_VAR_APPEND([$1], [" $2"])])
    AS_VAR_POPDEF([cached])
])

# SLOTD_TRY_FLAGS(VARIABLE, FLAGS): the same for each word of FLAGS.
AC_DEFUN([SLOTD_TRY_FLAGS], [m4_foreach_w([slotd_flag], [$2], [SLOTD_TRY_FLAG([$1], m4_defn([slotd_flag]))])])

# SLOTD_NEED_FLAG(VARIABLE, FLAGS, REASON, [PROGRAM]): FLAGS are asked for by the user, so their lack is an error.
AC_DEFUN([SLOTD_NEED_FLAG], [
    AC_MSG_CHECKING([whether $CC takes $2])
    slotd_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $2"
    AC_LINK_IFELSE([m4_default([$4], [AC_LANG_PROGRAM()])], [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([$3])])
    CFLAGS=$slotd_save_CFLAGS
    AS_VAR_APPEND([$1], [" $2"])
])

# SLOTD_NEED_LIBRARY(PREFIX, PKG-CONFIG MODULE, DEBIAN PACKAGE, FEDORA PACKAGE)
AC_DEFUN([SLOTD_NEED_LIBRARY], [
    PKG_CHECK_MODULES([$1], [$2], [],
        [AC_MSG_ERROR([$2 is missing: install $3 (Debian, Ubuntu) or $4 (Fedora, RHEL)])])
])
