# All parts, and the names they share.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2034

here=${here:?set by the script that reads this}
top=$(cd "$here/../.." && pwd)
# Which set-up a subshell works for; empty in the main shell.
setup=''

# shellcheck source=options.sh
. "$here/lib/options.sh"
# shellcheck source=setup.sh
. "$here/lib/setup.sh"
# shellcheck source=kernel.sh
. "$here/lib/kernel.sh"
# shellcheck source=packages.sh
. "$here/lib/packages.sh"
# shellcheck source=image.sh
. "$here/lib/image.sh"
# shellcheck source=vm.sh
. "$here/lib/vm.sh"
# shellcheck source=host.sh
. "$here/lib/host.sh"
# shellcheck source=matrix.sh
. "$here/lib/matrix.sh"
# shellcheck source=table.sh
. "$here/lib/table.sh"
# shellcheck source=keep.sh
. "$here/lib/keep.sh"
