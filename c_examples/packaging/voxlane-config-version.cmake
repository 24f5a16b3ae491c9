# The installed header knows the version. A request is met by the same major version and at least the minor and patch
# asked for; below 1.0, where minor versions may break sources, by the same minor version.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../../../include/voxlane.h" _voxlane_lines
  REGEX "^#define VOXLANE_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
string(REGEX REPLACE "[^0-9;]" "" _voxlane_numbers "${_voxlane_lines}")
list(GET _voxlane_numbers 0 _voxlane_major)
list(GET _voxlane_numbers 1 _voxlane_minor)
list(GET _voxlane_numbers 2 _voxlane_patch)
set(PACKAGE_VERSION "${_voxlane_major}.${_voxlane_minor}.${_voxlane_patch}")

set(PACKAGE_VERSION_COMPATIBLE FALSE)
set(PACKAGE_VERSION_EXACT FALSE)
if(NOT PACKAGE_FIND_VERSION OR PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  set(PACKAGE_VERSION_EXACT TRUE)
elseif(PACKAGE_FIND_VERSION VERSION_LESS PACKAGE_VERSION AND PACKAGE_FIND_VERSION_MAJOR EQUAL _voxlane_major)
  if(NOT _voxlane_major EQUAL 0 OR PACKAGE_FIND_VERSION_MINOR EQUAL _voxlane_minor)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
  endif()
endif()
# A library of 64-bit code is of no use to a 32-bit project.
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
