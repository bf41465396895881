# For find_package(shufflenet): the targets shufflenet::static and shufflenet::shared, as far as they are
# installed, and shufflenet::shufflenet, which is the static one unless BUILD_SHARED_LIBS is set or there is
# no other.

get_filename_component(_shufflenet_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

macro(_shufflenet_find kind file)
    find_library(_shufflenet_${kind} NAMES "${file}" PATHS "${_shufflenet_prefix}"
        PATH_SUFFIXES lib lib64 "lib/${CMAKE_LIBRARY_ARCHITECTURE}"
        NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
    if(_shufflenet_${kind} AND NOT TARGET shufflenet::${kind})
        string(TOUPPER ${kind} _shufflenet_type)
        add_library(shufflenet::${kind} ${_shufflenet_type} IMPORTED)
        set_target_properties(shufflenet::${kind} PROPERTIES
            IMPORTED_LOCATION "${_shufflenet_${kind}}"
            INTERFACE_INCLUDE_DIRECTORIES "${_shufflenet_prefix}/include")
    endif()
    unset(_shufflenet_${kind} CACHE)
endmacro()

_shufflenet_find(static "${CMAKE_STATIC_LIBRARY_PREFIX}shufflenet${CMAKE_STATIC_LIBRARY_SUFFIX}")
_shufflenet_find(shared "${CMAKE_SHARED_LIBRARY_PREFIX}shufflenet${CMAKE_SHARED_LIBRARY_SUFFIX}")

if(TARGET shufflenet::static)
    include(CMakeFindDependencyMacro)
    find_dependency(Threads)
    set_property(TARGET shufflenet::static PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads ${CMAKE_DL_LIBS} m)
endif()

if(NOT TARGET shufflenet::shufflenet)
    add_library(shufflenet::shufflenet INTERFACE IMPORTED)
    if(TARGET shufflenet::shared AND (BUILD_SHARED_LIBS OR NOT TARGET shufflenet::static))
        set_property(TARGET shufflenet::shufflenet PROPERTY INTERFACE_LINK_LIBRARIES shufflenet::shared)
    elseif(TARGET shufflenet::static)
        set_property(TARGET shufflenet::shufflenet PROPERTY INTERFACE_LINK_LIBRARIES shufflenet::static)
    else()
        set(shufflenet_FOUND FALSE)
        set(shufflenet_NOT_FOUND_MESSAGE "no library under ${_shufflenet_prefix}")
    endif()
endif()
